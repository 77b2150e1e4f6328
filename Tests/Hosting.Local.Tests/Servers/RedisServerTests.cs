using Aspire.Hosting;
using Aspire.Hosting.Local;
using AspireStreaming.Hosting.Local.Tests.Processes;

namespace AspireStreaming.Hosting.Local.Tests.Servers;

public sealed class RedisServerTests : IDisposable
{
    private const string Password = "p w\"'\\#é";

    private readonly string _folder = DataFolders.Temporary("redis-test", null);

    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    public void Dispose() => DataFolders.Delete(_folder);

    [Fact]
    public async Task Server_demands_the_password_and_does_not_show_it()
    {
        var port = FreePort.Next();
        await using var process = GuardedProcess.Start(RedisServer.Prepare(port, Password, _folder, []), (_, _) => { });
        using var client = await RedisClient.ConnectAsync(port, Ct);

        Assert.StartsWith("-NOAUTH", await client.SendAsync("PING", Ct));
        Assert.StartsWith("-WRONGPASS", await client.SendAsync("AUTH wrong", Ct));
        Assert.Equal("+OK", await client.SendAsync("AUTH \"p w\\\"'\\\\#é\"", Ct));
        Assert.Equal("+PONG", await client.SendAsync("PING", Ct));
        Assert.DoesNotContain("p w", await File.ReadAllTextAsync($"/proc/{process.Id}/cmdline", Ct));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(Path.Combine(_folder, "redis.conf")));
    }

    [Fact]
    public async Task Data_survives_a_kill_with_the_given_arguments()
    {
        string[] arguments = ["--appendonly", "yes", "--appendfsync", "always", "--save", "60", "1"];
        var port = FreePort.Next();
        await using (var process = GuardedProcess.Start(RedisServer.Prepare(port, null, _folder, arguments), (_, _) => { }))
        {
            using var client = await RedisClient.ConnectAsync(port, Ct);
            Assert.Equal("+OK", await client.SendAsync("SET key value", Ct));
            Posix.Send(process.Id, ProcessSignal.Kill);
            Assert.Equal(128 + 9, await process.Exited.WaitAsync(TestPrograms.Deadline, TimeProvider.System, Ct));
        }

        await using var again = GuardedProcess.Start(RedisServer.Prepare(port, null, _folder, arguments), (_, _) => { });
        using var other = await RedisClient.ConnectAsync(port, Ct);
        await Eventually.TrueAsync(
            async () => await other.SendAsync("GET key", Ct) == "value", TestPrograms.Deadline, "the data is loaded", Ct);
    }

    [Fact]
    public async Task Server_listens_on_loopback_only_and_stops_on_request()
    {
        var port = FreePort.Next();
        await using var process = GuardedProcess.Start(RedisServer.Prepare(port, null, _folder, []), (_, _) => { });
        using var client = await RedisClient.ConnectAsync(port, Ct);
        await client.SendAsync("CONFIG GET bind", Ct);

        var (_, listening) = ShortCommand.Run("/bin/sh", "-c", "cat /proc/net/tcp");
        Assert.DoesNotContain($" 00000000:{port:X4} ", listening);
        await process.StopAsync(TestPrograms.Deadline);

        Assert.Equal(0, await process.Exited);
    }

    [Theory]
    [InlineData("Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64 build=d", true)]
    [InlineData("Valkey server v=8.0.1 sha=00000000:0", true)]
    [InlineData("Redis server v=6.2.14 sha=00000000:0", false)]
    [InlineData("usage: something else", false)]
    public void CheckVersion_demands_version_7(string output, bool accepted)
    {
        if (accepted)
        {
            RedisServer.CheckVersion(output, "redis-server");
        }
        else
        {
            Assert.Throws<DistributedApplicationException>(() => RedisServer.CheckVersion(output, "redis-server"));
        }
    }
}
