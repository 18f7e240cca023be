-- JSON is read, changed and indexed.
CREATE TABLE t(id INTEGER PRIMARY KEY, doc TEXT CHECK (json_valid(doc)));
INSERT INTO t(doc) VALUES ('{"name":"ada","tags":["x","y"],"age":36}'), ('{"name":"ben","tags":[],"nested":{"deep":[1,2,{"k":null}]}}');
INSERT INTO t(doc) VALUES ('{"name":');
SELECT id, doc ->> '$.name', doc -> 'tags', json_array_length(doc, '$.tags') FROM t;
SELECT t.id, value FROM t, json_each(t.doc, '$.tags');
SELECT fullkey, type, atom FROM t, json_tree(t.doc) WHERE t.id = 2 AND atom IS NOT NULL;
UPDATE t SET doc = json_set(doc, '$.age', 37, '$.new', json('[true]')) WHERE id = 1;
SELECT doc FROM t WHERE id = 1;
SELECT json_remove(doc, '$.nested.deep[0]') FROM t WHERE id = 2;
CREATE INDEX t_name ON t(doc ->> '$.name');
SELECT id FROM t WHERE doc ->> '$.name' = 'ben';
SELECT json_group_array(doc ->> 'name'), json_group_object(id, json_type(doc, '$.age')) FROM t;
SELECT json_patch('{"a":1,"b":2}', '{"b":null,"c":3}'), json_quote('he said "no"');
SELECT json('[1,2');
