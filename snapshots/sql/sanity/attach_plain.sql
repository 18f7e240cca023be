-- A plain file beside the main database; one transaction changes both.
ATTACH 'file:$DIR/plain.db?vfs=unix' AS plain;
CREATE TABLE t(v INT);
CREATE TABLE plain.t(v INT);
BEGIN;
INSERT INTO main.t VALUES (1);
INSERT INTO plain.t VALUES (100);
COMMIT;
INSERT INTO plain.t SELECT v + 1 FROM main.t;
CREATE TRIGGER main_t AFTER DELETE ON main.t BEGIN SELECT 1; END;
BEGIN;
UPDATE main.t SET v = v + 1;
UPDATE plain.t SET v = v + 1;
ROLLBACK;
SELECT * FROM main.t;
SELECT * FROM plain.t;
DETACH plain;
--@ open plain plain.db?vfs=unix
SELECT * FROM t;
PRAGMA integrity_check;
--@ on main
ATTACH '$DIR/bare.db' AS bare;
CREATE TABLE bare.u AS SELECT v FROM t;
DETACH bare;
--@ open bare bare.db?vfs=unix
SELECT * FROM u;
