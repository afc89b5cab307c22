"""Namespaces, enforced by PostgreSQL itself.

The role that owns the tables (a server's) sees everything. Any other role sees the namespaces
granted to it, and nothing else, whatever SQL it sends: row-level security, which also covers the
keys, payloads, events and masked prompts of those records. Such a role may read, never write.
An event that would tie records of two namespaces together is refused, whoever sends it.
"""

from __future__ import annotations

from sqlalchemy import Connection, text

TABLES = ("meta", "relations", "records", "keys", "payloads", "events")
_OF_A_RECORD = ("keys", "payloads", "events")

_INSTALL = (
    "CREATE TABLE tenants (role text NOT NULL, namespace text NOT NULL, "
    "PRIMARY KEY (role, namespace))",
    # Found in the schema in which it is made, whatever the caller's search path.
    """
    CREATE FUNCTION memedit_sees(namespace text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path FROM CURRENT AS $$
      SELECT EXISTS (
        SELECT 1 FROM tenants t
        WHERE t.role = session_user AND t.namespace IN (memedit_sees.namespace, '*')
      )
    $$
    """,
    """
    CREATE FUNCTION memedit_one_namespace() RETURNS trigger
    LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
    BEGIN
      IF NEW.other IS NOT NULL AND
         (SELECT r.namespace FROM records r WHERE r.sequence = NEW.sequence) IS DISTINCT FROM
         (SELECT r.namespace FROM records r WHERE r.sequence = NEW.other) THEN
        RAISE EXCEPTION 'event % ties records of two namespaces together', NEW.id
          USING ERRCODE = 'check_violation';
      END IF;
      RETURN NEW;
    END
    $$
    """,
    "CREATE TRIGGER one_namespace BEFORE INSERT OR UPDATE ON events "
    "FOR EACH ROW EXECUTE FUNCTION memedit_one_namespace()",
    "ALTER TABLE records ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY tenant ON records FOR SELECT USING (memedit_sees(namespace))",
    "ALTER TABLE relations ENABLE ROW LEVEL SECURITY",
    "CREATE POLICY tenant ON relations FOR SELECT USING "
    "(EXISTS (SELECT 1 FROM records r WHERE r.relation = relations.id))",
    # The policy of relations asks for it at every row.
    "CREATE INDEX records_by_relation ON records (relation)",
)


def install(connection: Connection) -> None:
    """Make the rules, beside tables that were just created."""
    for statement in _INSTALL:
        connection.execute(text(statement))
    for table in _OF_A_RECORD:
        connection.execute(text(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY"))
        rule = f"EXISTS (SELECT 1 FROM records r WHERE r.sequence = {table}.sequence)"
        connection.execute(text(f"CREATE POLICY tenant ON {table} FOR SELECT USING ({rule})"))


def grant(connection: Connection, role: str, namespace: str) -> None:
    """Let a role of the database read one namespace (``*``: all)."""
    # GRANT takes no parameters: the name is quoted here.
    named = '"' + role.replace('"', '""') + '"'
    schema = connection.execute(text("SELECT quote_ident(current_schema())")).scalar_one()
    connection.execute(text(f"GRANT USAGE ON SCHEMA {schema} TO {named}"))
    connection.execute(text(f"GRANT SELECT ON {', '.join(TABLES)} TO {named}"))
    connection.execute(
        text("INSERT INTO tenants VALUES (:role, :namespace) ON CONFLICT DO NOTHING"),
        {"role": role, "namespace": namespace},
    )


def revoke(connection: Connection, role: str, namespace: str) -> None:
    """Undo :func:`grant`."""
    connection.execute(
        text("DELETE FROM tenants WHERE role = :role AND namespace = :namespace"),
        {"role": role, "namespace": namespace},
    )


def granted(connection: Connection) -> list[tuple[str, str]]:
    """(role, namespace) of all that was granted, in their order."""
    rows = connection.execute(text("SELECT role, namespace FROM tenants ORDER BY role, namespace"))
    return [(row.role, row.namespace) for row in rows]


def sees_all(connection: Connection) -> bool:
    """Whether no row is hidden from the role that asks."""
    if not connection.execute(text("SELECT row_security_active('records')")).scalar_one():
        return True
    return bool(connection.execute(text("SELECT memedit_sees('*')")).scalar_one())


_REFERENCES = (
    ("keys", "sequence", "records", "sequence"),
    ("payloads", "sequence", "records", "sequence"),
    ("events", "sequence", "records", "sequence"),
    ("events", "other", "records", "sequence"),
    ("records", "relation", "relations", "id"),
)


def dangling(connection: Connection) -> list[str]:
    """References that lead nowhere."""
    found = []
    for table, column, target, key in _REFERENCES:
        query = (
            f"SELECT count(*) FROM {table} a LEFT JOIN {target} b ON a.{column} = b.{key} "
            f"WHERE a.{column} IS NOT NULL AND b.{key} IS NULL"
        )
        if count := connection.execute(text(query)).scalar_one():
            found.append(f"{count} dangling references in table {table}, column {column}")
    return found
