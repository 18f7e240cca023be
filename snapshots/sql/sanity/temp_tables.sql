-- Temporary objects live in the connection and hide the main ones.
CREATE TABLE t(v TEXT);
INSERT INTO t VALUES ('main');
CREATE TEMP TABLE t(v TEXT);
INSERT INTO t VALUES ('temp');
SELECT v FROM t;
SELECT v FROM main.t;
CREATE TEMP TABLE big AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 20000) SELECT i, printf('%050d', i) AS s FROM c;
CREATE INDEX temp.big_s ON big(s);
SELECT count(*), max(s) FROM big WHERE s > printf('%050d', 19990);
CREATE TEMP TRIGGER copy AFTER INSERT ON main.t BEGIN
  INSERT INTO t VALUES ('copied ' || new.v);
END;
INSERT INTO main.t VALUES ('second');
SELECT v FROM temp.t;
--@ reopen
SELECT v FROM t;
SELECT count(*) FROM big;
SELECT name FROM sqlite_schema;
