-- Two databases of the same VFS in one connection, and transactions over both.
ATTACH 'file:$DIR/second.db?vfs=$VFS' AS second;
CREATE TABLE t(v INT);
CREATE TABLE second.t(v INT);
BEGIN;
INSERT INTO main.t VALUES (1), (2);
INSERT INTO second.t VALUES (10), (20);
COMMIT;
SELECT * FROM main.t UNION ALL SELECT * FROM second.t;
BEGIN;
INSERT INTO main.t VALUES (3);
INSERT INTO second.t VALUES (30);
ROLLBACK;
SELECT (SELECT count(*) FROM main.t), (SELECT count(*) FROM second.t);
INSERT INTO main.t SELECT v FROM second.t;
DETACH second;
SELECT * FROM second.t;
--@ open other second.db
SELECT * FROM t;
--@ on main
ATTACH 'file:$DIR/second.db?vfs=$VFS' AS again;
SELECT sum(v) FROM again.t;
PRAGMA again.integrity_check;
