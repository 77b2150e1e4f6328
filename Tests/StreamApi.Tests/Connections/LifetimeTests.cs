using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using AspireStreaming.StreamApi.Connections;
using AspireStreaming.StreamApi.Tests.Support;
using AspireStreaming.TestSupport;

namespace AspireStreaming.StreamApi.Tests.Connections;

public sealed class LifetimeTests(RedisFixture redis) : IDisposable
{
    private readonly TestLog _log = new(redis.Process.ConnectionString);
    private readonly string _stream = TestLog.NewStream();

    public void Dispose() => _log.Dispose();

    [Theory]
    [InlineData("/streams/{0}/events")]
    [InlineData("/events?stream={0}")]
    public async Task Lifetime_is_bounded_and_a_resume_goes_on_exactly(string path)
    {
        path = string.Format(System.Globalization.CultureInfo.InvariantCulture, path, _stream);
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString, "--Delivery:ConnectionLifetime=00:00:00.400");
        await _log.AppendNumbersAsync(_stream, 1, 2);
        await using var client = await host.OpenAsync(path);

        var frames = await client.ReadToEndAsync();

        var drain = frames[^1];
        Assert.Equal("stream.drain", drain.Event);
        Assert.Equal("lifetime", drain.Json.GetProperty("reason").GetString());
        Assert.Equal(_stream, drain.Json.GetProperty("stream").GetString());
        Assert.InRange(drain.Json.GetProperty("retryMs").GetInt32(), 1_000, 5_000);
        var id = frames.Last(frame => frame.Id is not null).Id;
        await _log.AppendNumbersAsync(_stream, 3, 1);
        await using var resumed = await host.OpenAsync(path, id);
        Assert.Equal(3, (await resumed.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task Lifetime_differs_by_a_fifth_either_way()
    {
        await using var host = await StreamApiHost.StartAsync(redis.Process.ConnectionString);
        var registry = host.Get<ConnectionRegistry>();
        var clients = await Task.WhenAll(Enumerable.Range(0, 40).Select(_ => host.OpenAsync($"/streams/{_stream}/events")));

        var lifetimes = registry.All.Select(connection => TimeSpan.FromMilliseconds(connection.EndsAt - registry.Now).TotalMinutes).ToArray();

        Assert.All(lifetimes, minutes => Assert.InRange(minutes, 23, 37));
        Assert.True(lifetimes.Max() - lifetimes.Min() > 3, "They are spread.");
        foreach (var client in clients)
        {
            await client.DisposeAsync();
        }
    }

    [Fact]
    public async Task Dead_peer_that_vanished_without_a_word_is_detected()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The kernel's timeout is Linux's.");
        await using var host = await StreamApiHost.StartAsync(
            redis.Process.ConnectionString, "--Delivery:DeadPeerTimeout=00:00:00.500", "--Delivery:Heartbeat=00:00:00.100");
        var registry = host.Get<ConnectionRegistry>();
        await using var alive = await host.OpenAsync($"/streams/{_stream}/events");
        await using var dead = await host.OpenAsync($"/streams/{_stream}/events");
        await dead.ReadControlAsync("stream.caught-up");
        Assert.Equal(2, registry.Count);

        DropEverything(dead.Socket);

        await Eventually.TrueAsync(() => registry.Count == 1, SseClient.Patience, "the dead peer is gone", TestContext.Current.CancellationToken);
        await _log.AppendNumbersAsync(_stream, 1, 1);
        Assert.Equal(1, (await alive.ReadEventAsync()).Number);
    }

    [Fact]
    public async Task AcknowledgedBytes_grows_with_what_the_peer_takes()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "The count is Linux's.");
        var cancellationToken = TestContext.Current.CancellationToken;
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        using var near = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await near.ConnectAsync(listener.LocalEndpoint, cancellationToken);
        using var far = await listener.AcceptSocketAsync(cancellationToken);
        var before = TcpPeers.AcknowledgedBytes(near);

        await near.SendAsync(new byte[10_000], cancellationToken);

        await Eventually.TrueAsync(
            () => TcpPeers.AcknowledgedBytes(near) - before == 10_000, SseClient.Patience, "all is acknowledged", cancellationToken);
        DropEverything(far);
        await near.SendAsync(new byte[10_000], cancellationToken);
        Assert.Equal(10_000, TcpPeers.AcknowledgedBytes(near) - before);
        near.Dispose();
        Assert.Equal(0, TcpPeers.AcknowledgedBytes(near));
    }

    /// <summary>From now on the kernel hands the socket nothing that arrives, nor answers it: as if the peer's cable were cut.</summary>
    private static void DropEverything(Socket socket)
    {
        const int SocketLevel = 1;
        const int AttachFilter = 26;

        // One instruction of classic BPF: return 0, keep nothing of the packet.
        byte[] program = [0x06, 0, 0, 0, 0, 0, 0, 0];
        var memory = Marshal.AllocHGlobal(program.Length);
        try
        {
            Marshal.Copy(program, 0, memory, program.Length);
            var filter = new byte[16];
            BitConverter.TryWriteBytes(filter, (ushort)1);
            BitConverter.TryWriteBytes(filter.AsSpan(8), memory.ToInt64());
            socket.SetRawSocketOption(SocketLevel, AttachFilter, filter);
        }
        finally
        {
            Marshal.FreeHGlobal(memory);
        }
    }
}
