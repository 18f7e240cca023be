-- Two connections with both databases attached, each writing one, then both at once.
--@ wal
CREATE TABLE t(v INT);
ATTACH 'file:$DIR/second.db?vfs=$VFS' AS second;
CREATE TABLE second.t(v INT);
--@ open b main.db
ATTACH 'file:$DIR/second.db?vfs=$VFS' AS second;
--@ on main
BEGIN;
INSERT INTO main.t VALUES (1);
--@ on b
INSERT INTO main.t VALUES (2);
SELECT count(*) FROM main.t;
--@ on main
INSERT INTO second.t VALUES (1);
COMMIT;
--@ on b
SELECT (SELECT sum(v) FROM main.t), (SELECT sum(v) FROM second.t);
BEGIN;
UPDATE main.t SET v = 5;
UPDATE second.t SET v = 6;
--@ on main
SELECT (SELECT sum(v) FROM main.t), (SELECT sum(v) FROM second.t);
--@ on b
COMMIT;
--@ on main
SELECT (SELECT sum(v) FROM main.t), (SELECT sum(v) FROM second.t);
