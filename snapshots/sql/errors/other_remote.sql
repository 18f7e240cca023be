-- A database is bound to its remote: opening it with another one is refused.
--@ vfs graft
--@ open a a.db?remote=file://$DIR/remote/app
CREATE TABLE t(v);
PRAGMA graft_push;
--@ close
--@ log on
--@ open other a.db?remote=file://$DIR/remote/other
--@ log off
--@ open again a.db?remote=file://$DIR/remote/app
SELECT count(*) FROM t;
--@ open plain a.db
SELECT count(*) FROM t;
