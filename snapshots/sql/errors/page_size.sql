-- A page size that is not a power of two from 512 to 65536 is refused, as is another than the volume has.
--@ vfs graft
--@ log on
--@ open a a.db?page_size=1000
--@ open b b.db?page_size=256
--@ open c c.db?page_size=131072
--@ open d d.db?page_size=many
--@ exists a.db
--@ open e e.db?page_size=8192
CREATE TABLE t(v);
--@ close
--@ open f e.db?page_size=512
--@ open g e.db?page_size=8192
PRAGMA page_size;
--@ open plain plain.db?vfs=unix
PRAGMA page_size = 512;
CREATE TABLE t(v);
--@ backup plain g
--@ on g
SELECT count(*) FROM t;
INSERT INTO t VALUES (1);
PRAGMA integrity_check;
