-- The config of a directory missing, cut, flipped, foreign or of the future: each is told apart, and the rest is not touched.
--@ vfs graft
CREATE TABLE t(v);
INSERT INTO t VALUES ('safe');
--@ close
--@ copy main.db good.db
--@ log on
--@ flip main.db/config 30
--@ open flipped main.db
SELECT * FROM t;
--@ copy good.db main.db
--@ truncate main.db/config 20
--@ open cut main.db
--@ truncate main.db/config 0
--@ open empty main.db
--@ copy good.db main.db
--@ flip main.db/config 0
--@ open foreign main.db
--@ copy good.db main.db
--@ flip main.db/config 8
--@ open future main.db
--@ copy good.db main.db
--@ open repaired main.db
SELECT * FROM t;
PRAGMA integrity_check;
