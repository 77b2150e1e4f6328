using System.Net;
using System.Net.Sockets;
using AspireStreaming.TestSupport;
using AspireStreaming.TestSupport.Faults;

namespace AspireStreaming.FailureSuite.Tests.Support;

/// <summary>The fault proxy against a server that sends back what it gets.</summary>
public sealed class TcpFaultProxyTests : IAsyncLifetime
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(10);

    private readonly TcpListener _server = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private TcpFaultProxy _proxy = null!;
    private Task _serving = Task.CompletedTask;
    private int _received;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        _server.Start();
        _serving = ServeAsync();
        _proxy = TcpFaultProxy.Start(((IPEndPoint)_server.LocalEndpoint).Port);
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        await _proxy.DisposeAsync();
        await _stop.CancelAsync();
        _server.Dispose();
        await _serving;
        _stop.Dispose();
    }

    [Fact]
    public async Task Untouched_link_passes_bytes_both_ways_and_the_close()
    {
        using var client = await DialAsync();
        await client.SendAsync(new byte[] { 1, 2, 3 }, Cancelled);
        Assert.Equal(3, await ReadAsync(client, 3));

        client.Shutdown(SocketShutdown.Send);

        Assert.Equal(0, await client.ReceiveAsync(new byte[1], Cancelled));
        await Eventually.TrueAsync(() => _proxy.Open == 0, Patience, "the link to be forgotten", Cancelled);
    }

    [Fact]
    public async Task Stall_holds_everything_until_mended()
    {
        using var client = await DialAsync();
        _proxy.Stall();
        await client.SendAsync(new byte[] { 1 }, Cancelled);
        using var later = await DialAsync();
        await later.SendAsync(new byte[] { 2 }, Cancelled);
        Assert.False(client.Poll(TimeSpan.FromMilliseconds(200), SelectMode.SelectRead));
        Assert.Equal(0, later.Available);

        _proxy.Mend();

        Assert.Equal(1, await ReadAsync(client, 1));
        Assert.Equal(1, await ReadAsync(later, 1));
    }

    [Fact]
    public async Task Stall_one_way_lets_the_other_pass()
    {
        using var client = await DialAsync();
        var before = Volatile.Read(ref _received);
        _proxy.Stall(LinkDirections.ToClient);
        await client.SendAsync(new byte[] { 1 }, Cancelled);
        await Eventually.TrueAsync(() => Volatile.Read(ref _received) > before, Patience, "the server to get the byte", Cancelled);

        Assert.False(client.Poll(TimeSpan.FromMilliseconds(200), SelectMode.SelectRead));
    }

    [Fact]
    public async Task StallExisting_silences_old_connections_only()
    {
        using var old = await DialAsync();
        await old.SendAsync(new byte[] { 1 }, Cancelled);
        Assert.Equal(1, await ReadAsync(old, 1));
        _proxy.StallExisting();
        await old.SendAsync(new byte[] { 1 }, Cancelled);
        using var young = await DialAsync();
        await young.SendAsync(new byte[] { 2 }, Cancelled);

        Assert.Equal(1, await ReadAsync(young, 1));
        Assert.Equal(0, old.Available);
        _proxy.Mend();
        await Assert.ThrowsAsync<SocketException>(async () => await old.ReceiveAsync(new byte[1], Cancelled));
    }

    [Fact]
    public async Task Reset_ends_connections_with_a_reset_and_new_ones_work()
    {
        using var client = await DialAsync();
        await client.SendAsync(new byte[] { 1 }, Cancelled);
        Assert.Equal(1, await ReadAsync(client, 1));

        _proxy.Reset();

        await Assert.ThrowsAsync<SocketException>(async () => await client.ReceiveAsync(new byte[1], Cancelled));
        using var young = await DialAsync();
        await young.SendAsync(new byte[] { 2 }, Cancelled);
        Assert.Equal(1, await ReadAsync(young, 1));
    }

    [Fact]
    public async Task Refuse_resets_new_connections_until_mended()
    {
        _proxy.Refuse();
        await Assert.ThrowsAsync<SocketException>(async () =>
        {
            using var refused = await DialAsync();
            Assert.NotEqual(0, await refused.ReceiveAsync(new byte[1], Cancelled));
        });

        _proxy.Mend();
        using var client = await DialAsync();
        await client.SendAsync(new byte[] { 1 }, Cancelled);
        Assert.Equal(1, await ReadAsync(client, 1));
    }

    [Fact]
    public async Task Delay_takes_at_least_its_time_each_way()
    {
        using var client = await DialAsync();
        _proxy.Delay = TimeSpan.FromMilliseconds(100);
        var start = TimeProvider.System.GetTimestamp();

        await client.SendAsync(new byte[] { 1 }, Cancelled);

        Assert.Equal(1, await ReadAsync(client, 1));
        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.FromMilliseconds(195), Patience);
    }

    [Fact]
    public async Task BytesPerSecond_slows_what_passes()
    {
        using var client = await DialAsync();
        _proxy.BytesPerSecond = 100_000;
        var start = TimeProvider.System.GetTimestamp();

        await client.SendAsync(new byte[40_000], Cancelled);

        Assert.Equal(40_000, await ReadAsync(client, 40_000));
        Assert.InRange(TimeProvider.System.GetElapsedTime(start), TimeSpan.FromMilliseconds(200), Patience);
    }

    [Fact]
    public async Task TargetPort_new_connections_go_to_the_new_server()
    {
        using var other = new TcpListener(IPAddress.Loopback, 0);
        other.Start();
        _proxy.TargetPort = ((IPEndPoint)other.LocalEndpoint).Port;

        using var client = await DialAsync();

        using var accepted = await other.AcceptSocketAsync(Cancelled);
        await accepted.SendAsync(new byte[] { 7 }, Cancelled);
        Assert.Equal(1, await ReadAsync(client, 1));
    }

    private static async Task<int> ReadAsync(Socket socket, int count)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancelled);
        limit.CancelAfter(Patience);
        var buffer = new byte[count];
        var read = 0;
        while (read < count)
        {
            var part = await socket.ReceiveAsync(buffer.AsMemory(read), limit.Token);
            if (part == 0)
            {
                break;
            }

            read += part;
        }

        return read;
    }

    private async Task<Socket> DialAsync()
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await socket.ConnectAsync(new IPEndPoint(IPAddress.Loopback, _proxy.Port), Cancelled);
        return socket;
    }

    private async Task ServeAsync()
    {
        var clients = new List<Task>();
        try
        {
            while (true)
            {
                clients.Add(EchoAsync(await _server.AcceptSocketAsync(_stop.Token)));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(clients);
        }
    }

    private async Task EchoAsync(Socket socket)
    {
        using (socket)
        {
            var buffer = new byte[8192];
            try
            {
                while (await socket.ReceiveAsync(buffer, _stop.Token) is > 0 and var count)
                {
                    Interlocked.Add(ref _received, count);
                    await socket.SendAsync(buffer.AsMemory(0, count), _stop.Token);
                }
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException)
            {
                // The link was reset.
            }
        }
    }
}
