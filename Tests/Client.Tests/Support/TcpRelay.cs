using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace AspireStreaming.Client.Tests.Support;

/// <summary>Passes connections on, and can lose answers: the request arrives, and what comes back does not.</summary>
internal sealed class TcpRelay : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Uri _target;
    private readonly Task _accepting;
    private int _answersToLose;

    public TcpRelay(Uri target)
    {
        _target = target;
        _listener.Start();
        Url = new Uri($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");
        _accepting = AcceptAsync();
    }

    public Uri Url { get; }

    public int AnswersLost { get; private set; }

    /// <summary>The next answers are lost, each with its connection.</summary>
    public void LoseAnswers(int count) => Volatile.Write(ref _answersToLose, count);

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
                _connections.Add(RelayAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task RelayAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using (client)
        {
            try
            {
                await server.ConnectAsync(_target.Host, _target.Port, _stop.Token);
                var requests = client.GetStream().CopyToAsync(server.GetStream(), _stop.Token);
                await AnswerAsync(server.GetStream(), client.GetStream());
                client.Close();
                server.Close();
                await requests;
            }
            catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // Either side has left, as it may.
            }
        }
    }

    private async Task AnswerAsync(NetworkStream server, NetworkStream client)
    {
        var buffer = new byte[16 * 1024];
        while (await server.ReadAsync(buffer, _stop.Token) is > 0 and var count)
        {
            if (Volatile.Read(ref _answersToLose) > 0)
            {
                Interlocked.Decrement(ref _answersToLose);
                AnswersLost++;
                return;
            }

            await client.WriteAsync(buffer.AsMemory(0, count), _stop.Token);
        }
    }
}
