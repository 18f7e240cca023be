-- Tables, indexes and views come and go; the schema says what there is.
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT NOT NULL DEFAULT 'x', c REAL);
CREATE INDEX t_b ON t(b);
CREATE VIEW v AS SELECT b, count(*) AS n FROM t GROUP BY b;
SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY name;
INSERT INTO t(c) VALUES (1.5), (2.5);
SELECT * FROM v;
DROP VIEW v;
DROP INDEX t_b;
CREATE TABLE t(a);
CREATE TABLE IF NOT EXISTS t(a);
DROP TABLE t;
DROP TABLE t;
DROP TABLE IF EXISTS t;
SELECT count(*) FROM sqlite_schema;
--@ reopen
SELECT count(*) FROM sqlite_schema;
PRAGMA integrity_check;
