-- A database that must be there, and is not, is not made.
--@ vfs graft
--@ log on
--@ open a a.db?mode=rw
--@ open b b.db?mode=ro
--@ exists a.db
--@ exists b.db
--@ open c c.db?mode=rwc
CREATE TABLE t(v);
--@ open d c.db?mode=rw
SELECT count(*) FROM t;
