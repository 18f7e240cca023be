-- Hundreds of tables and indexes: a schema of many pages, read anew by each connection.
BEGIN;
--@ repeat 200 CREATE TABLE t$I(id INTEGER PRIMARY KEY, a TEXT DEFAULT 'some default text', b INT)
--@ repeat 200 CREATE INDEX i$I ON t$I(a, b)
--@ repeat 200 INSERT INTO t$I(b) VALUES ($I)
COMMIT;
SELECT count(*) FROM sqlite_schema;
--@ reopen
SELECT count(*), sum(type = 'index') FROM sqlite_schema;
SELECT * FROM t137;
BEGIN;
--@ repeat 150 DROP TABLE t$I
COMMIT;
SELECT count(*) FROM sqlite_schema;
SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok';
VACUUM;
SELECT * FROM t151;
PRAGMA integrity_check;
