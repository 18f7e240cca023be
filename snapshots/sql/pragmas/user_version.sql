-- Numbers that the application keeps in the header survive, and roll back.
PRAGMA user_version;
PRAGMA user_version = 7;
PRAGMA application_id = 1196573006;
BEGIN;
PRAGMA user_version = 8;
ROLLBACK;
PRAGMA user_version;
--@ reopen
PRAGMA user_version;
PRAGMA application_id;
SELECT count(*) FROM sqlite_schema;
PRAGMA integrity_check;
