using Aspire.Hosting.Local;
using AspireStreaming.Hosting.Local.Tests.Processes;
using Npgsql;

namespace AspireStreaming.Hosting.Local.Tests.Servers;

public sealed class PostgresServerTests : IDisposable
{
    private const string Password = "it's a \"pass\" \\ word";

    private readonly string _folder = DataFolders.Temporary("postgres-test", PostgresServer.RunAsUser);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => DataFolders.Delete(_folder);

    [Fact]
    public async Task Server_demands_the_password_survives_a_kill_and_takes_a_new_password()
    {
        var port = FreePort.Next();
        await using (var process = await StartAsync(port, "postgres", Password))
        {
            await ReadyAsync(port, "postgres", Password);
            var error = await Assert.ThrowsAsync<PostgresException>(() => QueryAsync(port, "postgres", "wrong", "SELECT 1"));
            Assert.Equal("28P01", error.SqlState);
            await Assert.ThrowsAsync<NpgsqlException>(() => QueryAsync(port, "postgres", null, "SELECT 1"));
            Assert.Equal("200|UTF8|C", await QueryAsync(
                port,
                "postgres",
                Password,
                "SELECT current_setting('max_connections') || '|' || current_setting('server_encoding') || '|' || datcollate FROM pg_database WHERE datname = 'postgres'"));
            await QueryAsync(port, "postgres", Password, "CREATE TABLE kept AS SELECT 'row' AS text; SELECT 1");

            Posix.Send(process.Id, ProcessSignal.Kill);
            Assert.Equal(128 + 9, await process.Exited.WaitAsync(TestPrograms.Deadline, TimeProvider.System, Ct));
        }

        // By now the number in the killed server's lock file may be that of any other process.
        var lockFile = Path.Combine(_folder, "data", "postmaster.pid");
        var lines = await File.ReadAllLinesAsync(lockFile, Ct);
        await File.WriteAllLinesAsync(lockFile, [$"{Environment.ProcessId}", .. lines[1..]], Ct);
        await using (var process = await StartAsync(port, "postgres", "new"))
        {
            await ReadyAsync(port, "postgres", "new");
            Assert.Equal("row", await QueryAsync(port, "postgres", "new", "SELECT text FROM kept"));
            await Assert.ThrowsAsync<PostgresException>(() => QueryAsync(port, "postgres", Password, "SELECT 1"));

            await process.StopAsync(TestPrograms.Deadline);
            Assert.Equal(0, await process.Exited);
        }

        Assert.False(File.Exists(lockFile));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_folder));
    }

    [Fact]
    public async Task Another_user_has_a_database_of_its_name()
    {
        var port = FreePort.Next();
        await using var process = await StartAsync(port, "other-user", Password);
        await ReadyAsync(port, "other-user", Password);

        Assert.Equal("other-user", await QueryAsync(port, "other-user", Password, "SELECT current_database()::text"));
    }

    [Fact]
    public async Task Data_in_use_is_waited_for()
    {
        var port = FreePort.Next();
        await using var first = await StartAsync(port, "postgres", Password);
        await ReadyAsync(port, "postgres", Password);

        var second = StartAsync(port, "postgres", Password);
        await QueryAsync(port, "postgres", Password, "SELECT 1");
        Assert.False(second.IsCompleted);
        await first.StopAsync(TestPrograms.Deadline);

        await using var started = await second;
        await ReadyAsync(port, "postgres", Password);
    }

    private static async Task ReadyAsync(int port, string user, string password) =>
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    return await QueryAsync(port, user, password, "SELECT 'ready'") == "ready";
                }
                catch (NpgsqlException e) when (e is not PostgresException { SqlState: "28P01" })
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(20),
            "PostgreSQL answers",
            Ct);

    private static async Task<string> QueryAsync(int port, string user, string? password, string sql)
    {
        var text = new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = port,
            Username = user,
            Password = password,
            Pooling = false,
        };
        await using var connection = new NpgsqlConnection(text.ConnectionString);
        await connection.OpenAsync(Ct);
        await using var command = new NpgsqlCommand(sql, connection);
        return $"{await command.ExecuteScalarAsync(Ct)}";
    }

    private async Task<GuardedProcess> StartAsync(int port, string user, string password)
    {
        var output = TestContext.Current.TestOutputHelper;
        Action<string, bool> write = (line, _) => output?.WriteLine(line);
        return GuardedProcess.Start(await PostgresServer.PrepareAsync(port, user, password, _folder, write, Ct), write);
    }
}
