-- locking_mode=EXCLUSIVE holds the writer role between transactions; readers are not kept out.
--@ vfs graft
CREATE TABLE t(v INT);
PRAGMA locking_mode = EXCLUSIVE;
INSERT INTO t VALUES (1);
--@ open b main.db
SELECT * FROM t;
INSERT INTO t VALUES (2);
--@ on main
INSERT INTO t VALUES (3);
PRAGMA locking_mode = NORMAL;
SELECT * FROM t;
--@ on b
INSERT INTO t VALUES (4);
SELECT * FROM t;
