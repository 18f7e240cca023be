-- A statement in the middle of its rows holds its snapshot, and blocks nobody.
--@ wal
CREATE TABLE t(v INT);
INSERT INTO t VALUES (1), (2), (3), (4);
--@ open reader main.db
--@ hold SELECT v FROM t ORDER BY v
--@ on main
DELETE FROM t WHERE v > 2;
INSERT INTO t VALUES (9);
--@ on reader
--@ release
SELECT * FROM t;
--@ on main
--@ hold SELECT v FROM t
INSERT INTO t VALUES (10);
DROP TABLE t;
--@ release
DROP TABLE t;
