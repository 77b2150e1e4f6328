using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Net.WebSockets;
using System.Security.Cryptography;
using System.Text;

namespace AspireStreaming.Client.Tests.Support;

/// <summary>A <c>/ws</c> that does what a test says, one script a session; the last one serves all further sessions.</summary>
internal sealed class SessionServer : IAsyncDisposable
{
    // RFC 6455, 1.3.
    private const string HandshakeGuid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Func<Session, Task>[] _scripts;
    private readonly Task _accepting;
    private int _sessions;

    private SessionServer(Func<Session, Task>[] scripts)
    {
        _scripts = scripts;
        _listener.Start();
        Url = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    public Uri Url { get; }

    /// <summary>The clients' messages of all sessions.</summary>
    public ConcurrentQueue<string> Received { get; } = new();

    public static SessionServer Start(params Func<Session, Task>[] scripts) => new(scripts);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stop.Dispose();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                _connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using (client)
        {
            try
            {
                await UpgradeAsync(client.GetStream());
                using var socket = WebSocket.CreateFromStream(client.GetStream(), new WebSocketCreationOptions { IsServer = true });
                var script = _scripts[Math.Min(Interlocked.Increment(ref _sessions), _scripts.Length) - 1];
                await script(new Session(socket, Received, _stop.Token));
            }
            catch (Exception exception) when (exception is OperationCanceledException or WebSocketException or IOException)
            {
                // The client has left, or the test is over.
            }
        }
    }

    private async Task UpgradeAsync(NetworkStream stream)
    {
        var head = new StringBuilder();
        var one = new byte[1];
        while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
        {
            await stream.ReadExactlyAsync(one, _stop.Token);
            head.Append((char)one[0]);
        }

        var key = head.ToString().Split("\r\n").Single(static line => line.StartsWith("Sec-WebSocket-Key:", StringComparison.OrdinalIgnoreCase))
            .Split(':', 2)[1].Trim();
#pragma warning disable CA5350 // The handshake demands it; it protects nothing.
        var accept = Convert.ToBase64String(SHA1.HashData(Encoding.ASCII.GetBytes(key + HandshakeGuid)));
#pragma warning restore CA5350
        await stream.WriteAsync(
            Encoding.ASCII.GetBytes(
                $"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"),
            _stop.Token);
    }

    internal sealed class Session(WebSocket socket, ConcurrentQueue<string> received, CancellationToken stopping)
    {
        public async Task SubscribedAsync(string position)
        {
            await ReceiveAsync();
            await SendAsync($$"""{"type":"subscribed","sub":"1","position":"{{position}}","window":64,"adaptive":true}""");
        }

        public Task EventAsync(long sequence) => SendAsync(
            $$$"""{"type":"event","sub":"1","event":{"specversion":"1.0","id":"i{{{sequence}}}","source":"/t","type":"token","stream":"s","position":"5-{{{sequence}}}","data":{{{sequence}}}}}""");

        public Task SendAsync(string message) =>
            socket.SendAsync(Encoding.UTF8.GetBytes(message), WebSocketMessageType.Text, endOfMessage: true, stopping);

        public Task CloseAsync() => socket.CloseOutputAsync(WebSocketCloseStatus.EndpointUnavailable, "bye", stopping);

        public async Task<bool> ReceiveAsync()
        {
            var buffer = new byte[4096];
            var result = await socket.ReceiveAsync(buffer, stopping);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                return false;
            }

            received.Enqueue(Encoding.UTF8.GetString(buffer, 0, result.Count));
            return true;
        }

        /// <summary>Listens and says nothing until the client leaves.</summary>
        public async Task ListenAsync()
        {
            while (await ReceiveAsync())
            {
            }
        }
    }
}
