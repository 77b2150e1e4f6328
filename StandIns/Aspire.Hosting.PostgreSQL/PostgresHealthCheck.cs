using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace Aspire.Hosting.Postgres;

internal sealed class PostgresHealthCheck(PostgresServerResource postgres, string databaseName, Func<bool> isCreated) : IHealthCheck
{
    private const int TimeoutSeconds = 5;

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        // Asking for a database that is still to be created only fills the server's log with errors.
        if (!isCreated())
        {
            return HealthCheckResult.Unhealthy($"Database '{databaseName}' has not been created yet.");
        }

        try
        {
            var builder = new NpgsqlConnectionStringBuilder(await postgres.GetConnectionStringAsync(cancellationToken).ConfigureAwait(false))
            {
                Database = databaseName,
                Pooling = false,
                Timeout = TimeoutSeconds,
                CommandTimeout = TimeoutSeconds,
            };
            await using var connection = new NpgsqlConnection(builder.ConnectionString);
            await connection.OpenAsync(cancellationToken).ConfigureAwait(false);
            await using var command = new NpgsqlCommand("SELECT 1", connection);
            await command.ExecuteScalarAsync(cancellationToken).ConfigureAwait(false);
            return HealthCheckResult.Healthy();
        }
        catch (Exception exception) when (exception is NpgsqlException or TimeoutException)
        {
            return HealthCheckResult.Unhealthy(exception.Message, exception);
        }
    }
}
