using Npgsql;

namespace AspireStreaming.Archive.Writing;

/// <summary>Classifies failures of PostgreSQL, in this one place.</summary>
internal static class PostgresFaults
{
    /// <summary>A row is at fault (SQLSTATE classes 22, data, and 23, integrity): trying the same again gives the same.</summary>
    public static bool IsRowFault(PostgresException exception) =>
        exception.SqlState.StartsWith("22", StringComparison.Ordinal) || exception.SqlState.StartsWith("23", StringComparison.Ordinal);

    /// <summary>The schema is missing, as after a database was made anew.</summary>
    public static bool IsMissingSchema(Exception exception) =>
        exception is PostgresException { SqlState: PostgresErrorCodes.UndefinedTable };
}
