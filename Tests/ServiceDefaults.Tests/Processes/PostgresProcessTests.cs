using AspireStreaming.TestSupport;
using Npgsql;

namespace AspireStreaming.ServiceDefaults.Tests.Processes;

public sealed class PostgresProcessTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Kill_suspend_and_restart_keep_committed_rows()
    {
        await using var postgres = await PostgresProcess.StartAsync(cancellationToken: Cancellation);
        var connectionString = await postgres.CreateDatabaseAsync("events", Cancellation) + ";Pooling=false";
        await ExecuteAsync(connectionString, "CREATE TABLE t (v int); INSERT INTO t VALUES (1)");

        postgres.Kill();
        Assert.False(postgres.IsRunning);
        await Assert.ThrowsAsync<NpgsqlException>(() => ExecuteAsync(connectionString, "SELECT 1"));
        await postgres.StartAsync(Cancellation);
        Assert.Equal(1, await ExecuteAsync(connectionString, "SELECT v FROM t"));

        postgres.Suspend();
        var frozen = ExecuteAsync(connectionString + ";Timeout=1", "SELECT 1");
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => frozen);
        postgres.Resume();
        Assert.Equal(1, await ExecuteAsync(connectionString, "SELECT v FROM t"));

        await postgres.RestartAsync(Cancellation);
        Assert.Equal(1, await ExecuteAsync(connectionString, "SELECT v FROM t"));
    }

    private static async Task<object?> ExecuteAsync(string connectionString, string sql)
    {
        await using var source = NpgsqlDataSource.Create(connectionString);
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancellation);
    }
}
