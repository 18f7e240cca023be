-- Every storage class comes back as it went in, also after the cache was dropped.
CREATE TABLE t(i INTEGER, r REAL, s TEXT, b BLOB, n NUMERIC, any);
INSERT INTO t VALUES (9223372036854775807, 1e308, 'säle 数 🙂', x'00ff10', '12', x'');
INSERT INTO t VALUES (-9223372036854775808, -0.1, '', zeroblob(20), '1.50', NULL);
INSERT INTO t VALUES ('7', '7', 7, 'text', 'abc', 7.0);
--@ reopen
SELECT * FROM t;
SELECT typeof(i), typeof(r), typeof(s), typeof(b), typeof(n), typeof(any) FROM t;
SELECT length(s), length(CAST(s AS BLOB)), hex(s) FROM t WHERE rowid = 1;
SELECT length(b), b = x'00ff10', quote(any) FROM t;
SELECT CAST('12abc' AS INTEGER), CAST(3.99 AS INTEGER), CAST(x'3132' AS TEXT), 9223372036854775807 + 1;
