using Npgsql;
using StackExchange.Redis;

namespace AspireStreaming.Hosting.Tests;

/// <summary>Real servers: some seconds each.</summary>
public sealed class ServerTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Servers_answer_at_their_connection_strings_and_keep_data_over_stop_start_and_restart()
    {
        await using var app = await TestApplication.StartAsync(builder =>
        {
            builder.AddRedis("redis").WithArgs("--appendonly", "yes", "--appendfsync", "always");
            builder.AddPostgres("postgres").AddDatabase("sampledb", "sample-db");
        });
        await app.HealthyAsync("redis");
        await app.HealthyAsync("sampledb");
        var redis = (await app.App.GetConnectionStringAsync("redis", Cancellation))!;
        var database = (await app.App.GetConnectionStringAsync("sampledb", Cancellation))!;
        await SetAsync(redis, "kept", "1");
        await ExecuteAsync(database, "CREATE TABLE kept (value int); INSERT INTO kept VALUES (1)");
        var before = TestApplication.ProcessId(app.Current("redis"));

        await app.CommandAsync("redis", KnownResourceCommands.StopCommand);
        await app.CommandAsync("postgres", KnownResourceCommands.StopCommand);
        Assert.Equal(KnownResourceStates.Exited, app.Current("redis").Snapshot.State?.Text);
        await app.StateAsync("sampledb", KnownResourceStates.Exited);
        await app.CommandAsync("redis", KnownResourceCommands.StartCommand);
        await app.CommandAsync("redis", KnownResourceCommands.RestartCommand);
        await app.CommandAsync("postgres", KnownResourceCommands.StartCommand);
        await app.HealthyAsync("redis");
        await app.HealthyAsync("sampledb");

        Assert.NotEqual(before, TestApplication.ProcessId(app.Current("redis")));
        Assert.Equal("1", await GetAsync(redis, "kept"));
        Assert.Equal(1, await ExecuteAsync(database, "SELECT value FROM kept"));
        await Assert.ThrowsAnyAsync<NpgsqlException>(() => ExecuteAsync(database + ";Password=wrong", "SELECT 1"));
    }

    [Fact]
    public async Task Data_folder_and_its_password_serve_the_next_run_and_only_one_run_at_a_time()
    {
        var folder = Directory.CreateTempSubdirectory("hosting-tests-");
        try
        {
            string first;
            await using (var app = await RunAsync())
            {
                await app.HealthyAsync("kept-redis");
                first = (await app.App.GetConnectionStringAsync("kept-redis", Cancellation))!;
                await SetAsync(first, "kept", "yes");
            }

            await using (var app = await RunAsync())
            {
                await app.HealthyAsync("kept-redis");
                var second = (await app.App.GetConnectionStringAsync("kept-redis", Cancellation))!;
                Assert.Equal(Password(first), Password(second));
                Assert.Equal("yes", await GetAsync(second, "kept"));

                await using var rival = await RunAsync();
                await rival.StateAsync("kept-redis", KnownResourceStates.FailedToStart);
                Assert.Contains("in use by another run", await rival.LogAsync("kept-redis"), StringComparison.Ordinal);
            }
        }
        finally
        {
            folder.Delete(recursive: true);
        }

        Task<TestApplication> RunAsync() => TestApplication.StartAsync(builder => builder.AddRedis("kept-redis").WithDataBindMount(folder.FullName));

        static string Password(string connectionString) => connectionString[(connectionString.IndexOf("password=", StringComparison.Ordinal) + 9)..];
    }

    [Fact]
    public async Task Server_that_ends_before_it_is_ready_failed_to_start_and_says_why()
    {
        await using var app = await TestApplication.StartAsync(builder => builder.AddRedis("redis").WithArgs("--no-such-option", "1"));

        await app.StateAsync("redis", KnownResourceStates.FailedToStart);

        Assert.Contains("no-such-option", await app.LogAsync("redis"), StringComparison.Ordinal);
    }

    private static async Task SetAsync(string connectionString, string key, string value)
    {
        using var connection = await ConnectionMultiplexer.ConnectAsync(connectionString);
        await connection.GetDatabase().StringSetAsync(key, value);
    }

    private static async Task<string?> GetAsync(string connectionString, string key)
    {
        using var connection = await ConnectionMultiplexer.ConnectAsync(connectionString);
        return await connection.GetDatabase().StringGetAsync(key);
    }

    private static async Task<object?> ExecuteAsync(string connectionString, string sql)
    {
        await using var source = NpgsqlDataSource.Create(connectionString + ";Pooling=false");
        await using var command = source.CreateCommand(sql);
        return await command.ExecuteScalarAsync(Cancellation);
    }
}
