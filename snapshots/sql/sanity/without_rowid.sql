-- Tables without rowid keep their rows in the primary key.
CREATE TABLE t(a TEXT, b INT, c TEXT, PRIMARY KEY (b, a DESC)) WITHOUT ROWID;
INSERT INTO t VALUES ('x', 2, '1'), ('y', 1, '2'), ('z', 2, '3'), ('w', 1, '4');
SELECT * FROM t;
INSERT INTO t VALUES ('x', 2, 'again');
INSERT INTO t VALUES (NULL, 2, 'null');
SELECT rowid FROM t;
UPDATE t SET b = 3 WHERE a = 'w';
DELETE FROM t WHERE b = 2 AND a = 'z';
WITH RECURSIVE c(i) AS (SELECT 10 UNION ALL SELECT i + 1 FROM c WHERE i < 3000)
INSERT INTO t SELECT printf('k%05d', i * 7907 % 3000), i % 13, hex(i) FROM c;
SELECT count(*), min(a), max(a) FROM t WHERE b = 5;
CREATE INDEX t_c ON t(c);
SELECT a, b FROM t WHERE c = hex(100);
PRAGMA integrity_check;
