-- data_version changes when another connection commits, and only then.
CREATE TABLE t(v INT);
--@ open other main.db
CREATE TEMP TABLE seen AS SELECT data_version AS n FROM pragma_data_version;
SELECT data_version <> n FROM seen, pragma_data_version;
INSERT INTO t VALUES (1);
SELECT data_version <> n FROM seen, pragma_data_version;
--@ on main
INSERT INTO t VALUES (2);
--@ on other
SELECT data_version <> n FROM seen, pragma_data_version;
UPDATE seen SET n = (SELECT data_version FROM pragma_data_version);
SELECT count(*) FROM t;
SELECT data_version <> n FROM seen, pragma_data_version;
--@ on main
BEGIN;
INSERT INTO t VALUES (3);
ROLLBACK;
--@ on other
SELECT data_version <> n FROM seen, pragma_data_version;
PRAGMA schema_version;
--@ on main
CREATE TABLE u(v INT);
--@ on other
PRAGMA schema_version;
