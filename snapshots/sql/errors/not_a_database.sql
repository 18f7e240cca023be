-- Names that hold something else are left alone: a plain database, a text file, a directory of other files.
--@ vfs graft
--@ open plain plain.db?vfs=unix
CREATE TABLE t(v);
INSERT INTO t VALUES ('plain');
--@ close
--@ log on
--@ open a plain.db?vfs=graft
SELECT * FROM t;
--@ write text.txt 'just some text'
--@ open b text.txt
SELECT count(*) FROM sqlite_schema;
--@ mkdir folder
--@ write folder/letter.txt 'dear reader'
--@ open c folder
SELECT count(*) FROM sqlite_schema;
--@ exists folder/config
--@ log off
--@ open d no/such/place.db
--@ open plain2 plain.db?vfs=unix
SELECT * FROM t;
