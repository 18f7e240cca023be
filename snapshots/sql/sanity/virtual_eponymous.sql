-- Eponymous tables of SQLite work beside the ones of any extension.
CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT REFERENCES t(b));
CREATE INDEX t_b ON t(b);
SELECT name, type, pk FROM pragma_table_info('t');
SELECT name, "unique" FROM pragma_index_list('t');
SELECT name FROM pragma_index_info('t_b');
SELECT key, value FROM json_each('{"a":1,"b":[2]}');
SELECT m.name, i.name FROM sqlite_schema AS m, pragma_index_list(m.name) AS i WHERE m.type = 'table';
CREATE VIRTUAL TABLE x USING no_such_module(a);
