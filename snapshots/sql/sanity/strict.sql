-- STRICT tables refuse what does not fit.
CREATE TABLE t(i INTEGER, r REAL, s TEXT, b BLOB, a ANY) STRICT;
INSERT INTO t VALUES (1, 2, 'three', x'04', 5);
INSERT INTO t VALUES ('1', '2.5', 3, x'04', 'any');
INSERT INTO t VALUES ('one', 2, 'three', x'04', 5);
INSERT INTO t VALUES (1, 2, 'three', 'text', 5);
INSERT INTO t VALUES (1.5, 2, 'three', x'04', 5);
SELECT i, r, s, b, a, typeof(r), typeof(s), typeof(a) FROM t;
CREATE TABLE bad(x DATETIME) STRICT;
CREATE TABLE bad(x) STRICT;
ALTER TABLE t ADD COLUMN n INT NOT NULL DEFAULT 0;
SELECT n FROM t;
PRAGMA integrity_check;
