using AspireStreaming.TestSupport;

namespace AspireStreaming.ServiceDefaults.Tests.Processes;

public sealed class RedisProcessTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Kill_without_persistence_loses_data_and_comes_back_on_the_same_port()
    {
        await using var redis = await RedisProcess.StartAsync(password: "secret", cancellationToken: Cancellation);
        Assert.Equal("+OK", await redis.SendAsync("SET k v", Cancellation));
        var port = redis.Port;

        redis.Kill();
        Assert.False(redis.IsRunning);
        await redis.StartAsync(Cancellation);

        Assert.Equal(port, redis.Port);
        Assert.Equal("$-1", await redis.SendAsync("GET k", Cancellation));
    }

    [Fact]
    public async Task RestartAsync_with_a_folder_keeps_data_unless_wiped()
    {
        var folder = Directory.CreateTempSubdirectory("redis-data-");
        try
        {
            await using var redis = await RedisProcess.StartAsync(dataFolder: folder.FullName, cancellationToken: Cancellation);
            await redis.SendAsync("SET k v", Cancellation);

            await redis.RestartAsync(cancellationToken: Cancellation);
            Assert.Equal("$1", await redis.SendAsync("GET k", Cancellation));

            await redis.RestartAsync(wipe: true, Cancellation);
            Assert.Equal("$-1", await redis.SendAsync("GET k", Cancellation));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Suspend_leaves_a_server_that_accepts_and_does_not_answer_until_resumed()
    {
        await using var redis = await RedisProcess.StartAsync(cancellationToken: Cancellation);
        redis.Suspend();
        using var impatience = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => redis.SendAsync("PING", impatience.Token));

        redis.Resume();

        Assert.Equal("+PONG", await redis.SendAsync("PING", Cancellation));
    }

    [Fact]
    public async Task DisposeAsync_deletes_the_temporary_folder()
    {
        var redis = await RedisProcess.StartAsync(cancellationToken: Cancellation);
        Assert.True(Directory.Exists(redis.DataFolder));

        await redis.DisposeAsync();

        Assert.False(Directory.Exists(redis.DataFolder));
    }
}
