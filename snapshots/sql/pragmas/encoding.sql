-- A database may be UTF-16; the encoding is fixed by the first table.
PRAGMA encoding = 'UTF-16le';
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('grün'), ('木'), ('🌱');
PRAGMA encoding = 'UTF-8';
PRAGMA encoding;
--@ reopen
PRAGMA encoding;
SELECT v, length(v), hex(CAST(v AS BLOB)) FROM t;
SELECT count(*) FROM t WHERE v = '木';
PRAGMA integrity_check;
