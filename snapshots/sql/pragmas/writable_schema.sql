-- The schema table edited by hand, then checked and reread.
CREATE TABLE t(a INT, b TEXT);
INSERT INTO t VALUES (1, 'x');
PRAGMA writable_schema = ON;
UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a INT, b TEXT, c DEFAULT 5)' WHERE name = 't';
PRAGMA writable_schema = RESET;
SELECT * FROM t;
PRAGMA integrity_check;
--@ reopen
SELECT * FROM t;
