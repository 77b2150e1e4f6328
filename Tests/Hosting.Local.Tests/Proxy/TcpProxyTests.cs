using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Aspire.Hosting;
using Aspire.Hosting.Local;

namespace AspireStreaming.Hosting.Local.Tests.Proxy;

public sealed class TcpProxyTests
{
    private static CancellationToken Ct => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Connections_go_to_the_targets_in_turn()
    {
        await using var a = new NamedServer("a");
        await using var b = new NamedServer("b");
        await using var proxy = Started(a.EndPoint, b.EndPoint);

        Assert.Equal(["a", "b", "a", "b"], [await NameAsync(proxy), await NameAsync(proxy), await NameAsync(proxy), await NameAsync(proxy)]);
    }

    [Fact]
    public async Task Connections_pass_over_a_target_that_refuses()
    {
        await using var a = new NamedServer("a");
        var dead = new NamedServer("dead");
        await dead.DisposeAsync();
        await using var proxy = Started(dead.EndPoint, a.EndPoint);

        Assert.Equal(["a", "a", "a"], [await NameAsync(proxy), await NameAsync(proxy), await NameAsync(proxy)]);
    }

    [Fact]
    public async Task Without_targets_a_connection_is_closed_at_once()
    {
        await using var proxy = Started();
        using var client = await ConnectAsync(proxy);

        Assert.Equal(0, await client.ReceiveAsync(new byte[1], Ct));
    }

    [Fact]
    public async Task Before_start_connections_are_refused_and_the_port_is_known()
    {
        await using var proxy = new TcpProxy(IPAddress.Loopback, 0);
        Assert.InRange(proxy.Port, 1, 65535);

        await Assert.ThrowsAsync<SocketException>(() => ConnectAsync(proxy));
    }

    [Fact]
    public async Task SetTargets_leaves_connections_where_they_are()
    {
        await using var a = new NamedServer("a");
        await using var b = new NamedServer("b");
        await using var proxy = Started(a.EndPoint);
        using var old = await ConnectAsync(proxy);
        Assert.Equal("a", await ReadNameAsync(old));

        proxy.SetTargets([b.EndPoint]);

        Assert.Equal("b", await NameAsync(proxy));
        Assert.Equal("x", await EchoAsync(old, "x"));
    }

    [Fact]
    public async Task Localhost_over_IPv6_is_served_too()
    {
        Assert.SkipUnless(Socket.OSSupportsIPv6, "No IPv6 on this machine.");
        await using var a = new NamedServer("a");
        await using var proxy = Started(a.EndPoint);
        using var client = new Socket(AddressFamily.InterNetworkV6, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            await client.ConnectAsync(IPAddress.IPv6Loopback, proxy.Port, Ct);
        }
        catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressNotAvailable)
        {
            Assert.Skip("No IPv6 loopback on this machine.");
        }

        Assert.Equal("a", await ReadNameAsync(client));
    }

    [Fact]
    public async Task Half_close_reaches_the_target_and_its_answer_the_client()
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        server.Listen();
        await using var proxy = Started((IPEndPoint)server.LocalEndPoint!);
        using var client = await ConnectAsync(proxy);
        using var accepted = await server.AcceptAsync(Ct);

        await client.SendAsync("ask"u8.ToArray(), Ct);
        client.Shutdown(SocketShutdown.Send);

        Assert.Equal("ask", await ReadToEndAsync(accepted));
        await accepted.SendAsync("answer"u8.ToArray(), Ct);
        accepted.Shutdown(SocketShutdown.Send);
        Assert.Equal("answer", await ReadToEndAsync(client));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Reset_of_one_side_resets_the_other(bool byClient)
    {
        using var server = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        server.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        server.Listen();
        await using var proxy = Started((IPEndPoint)server.LocalEndPoint!);
        using var client = await ConnectAsync(proxy);
        using var accepted = await server.AcceptAsync(Ct);
        await client.SendAsync("x"u8.ToArray(), Ct);
        await accepted.ReceiveAsync(new byte[1], Ct);

        var (resetting, other) = byClient ? (client, accepted) : (accepted, client);
        resetting.LingerState = new LingerOption(enable: true, seconds: 0);
        resetting.Close();

        var error = await Assert.ThrowsAsync<SocketException>(async () => await other.ReceiveAsync(new byte[1], Ct));
        Assert.Equal(SocketError.ConnectionReset, error.SocketErrorCode);
    }

    [Fact]
    public async Task Dispose_ends_connections_and_frees_the_port()
    {
        await using var a = new NamedServer("a");
        var proxy = Started(a.EndPoint);
        using var client = await ConnectAsync(proxy);
        await ReadNameAsync(client);

        await proxy.DisposeAsync();

        await Assert.ThrowsAsync<SocketException>(async () => await client.ReceiveAsync(new byte[1], Ct));
        await using var again = new TcpProxy(IPAddress.Loopback, proxy.Port);
        again.Start();
    }

    [Fact]
    public async Task Port_in_use_is_said()
    {
        await using var proxy = Started();

        var error = Assert.Throws<DistributedApplicationException>(() => new TcpProxy(IPAddress.Loopback, proxy.Port));

        Assert.Contains($"Port {proxy.Port} is in use", error.Message);
    }

    [Fact]
    public async Task Much_data_arrives_whole_both_ways()
    {
        const int Megabytes = 64;
        await using var echo = new NamedServer("");
        await using var proxy = Started(echo.EndPoint);
        using var client = await ConnectAsync(proxy);
        var block = RandomNumberGenerator.GetBytes(1 << 20);
        using var sent = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var received = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        var sending = Task.Run(
            async () =>
            {
                for (var i = 0; i < Megabytes; i++)
                {
                    sent.AppendData(block);
                    await client.SendAsync(block, Ct);
                }

                client.Shutdown(SocketShutdown.Send);
            },
            Ct);
        var buffer = new byte[1 << 16];
        while (await client.ReceiveAsync(buffer, Ct) is > 0 and var count)
        {
            received.AppendData(buffer, 0, count);
        }

        await sending;
        Assert.Equal(sent.GetHashAndReset(), received.GetHashAndReset());
    }

    private static TcpProxy Started(params IPEndPoint[] targets)
    {
        var proxy = new TcpProxy(IPAddress.Loopback, 0);
        proxy.SetTargets(targets);
        proxy.Start();
        return proxy;
    }

    private static async Task<Socket> ConnectAsync(TcpProxy proxy)
    {
        var client = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        await client.ConnectAsync(IPAddress.Loopback, proxy.Port, Ct);
        return client;
    }

    private static async Task<string> NameAsync(TcpProxy proxy)
    {
        using var client = await ConnectAsync(proxy);
        return await ReadNameAsync(client);
    }

    private static async Task<string> ReadNameAsync(Socket client)
    {
        var buffer = new byte[1];
        Assert.Equal(1, await client.ReceiveAsync(buffer, Ct));
        return $"{(char)buffer[0]}";
    }

    private static async Task<string> EchoAsync(Socket client, string letter)
    {
        await client.SendAsync(new byte[] { (byte)letter[0] }, Ct);
        return await ReadNameAsync(client);
    }

    private static async Task<string> ReadToEndAsync(Socket socket)
    {
        var text = new StringBuilder();
        var buffer = new byte[100];
        while (await socket.ReceiveAsync(buffer, Ct) is > 0 and var count)
        {
            text.Append(Encoding.ASCII.GetString(buffer, 0, count));
        }

        return text.ToString();
    }
}
