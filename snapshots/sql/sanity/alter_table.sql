-- Tables and columns are renamed, added and dropped, with what refers to them.
CREATE TABLE t(a INT, b TEXT, c REAL);
INSERT INTO t VALUES (1, 'one', 1.5), (2, 'two', 2.5);
CREATE INDEX t_b ON t(b);
CREATE VIEW v AS SELECT a, b FROM t;
ALTER TABLE t RENAME TO u;
ALTER TABLE u RENAME COLUMN b TO name;
SELECT * FROM v;
SELECT name, sql FROM sqlite_schema ORDER BY name;
ALTER TABLE u ADD COLUMN d TEXT DEFAULT 'dee';
ALTER TABLE u ADD COLUMN e INT NOT NULL;
SELECT * FROM u;
ALTER TABLE u DROP COLUMN c;
ALTER TABLE u DROP COLUMN name;
ALTER TABLE u RENAME TO sqlite_u;
SELECT * FROM u;
--@ reopen
SELECT * FROM u;
PRAGMA integrity_check;
