using System.Net.Sockets;
using System.Text;

namespace AspireStreaming.Hosting.Local.Tests.Servers;

/// <summary>Inline commands and their one-line or bulk answers are all that these tests need.</summary>
internal sealed class RedisClient(TcpClient client) : IDisposable
{
    private readonly StreamReader _reader = new(client.GetStream());

    /// <summary>Waits until the server accepts.</summary>
    public static async Task<RedisClient> ConnectAsync(int port, CancellationToken cancellationToken)
    {
        RedisClient? connected = null;
        await Eventually.TrueAsync(
            async () =>
            {
                var client = new TcpClient();
                try
                {
                    await client.ConnectAsync("127.0.0.1", port, cancellationToken);
                    connected = new RedisClient(client);
                    return true;
                }
                catch (SocketException)
                {
                    client.Dispose();
                    return false;
                }
            },
            TimeSpan.FromSeconds(10),
            $"redis-server accepts on port {port}",
            cancellationToken);
        return connected!;
    }

    public async Task<string> SendAsync(string command, CancellationToken cancellationToken)
    {
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes($"{command}\r\n"), cancellationToken);
        var line = await _reader.ReadLineAsync(cancellationToken) ?? throw new EndOfStreamException();
        return line.StartsWith('$') && line != "$-1" ? (await _reader.ReadLineAsync(cancellationToken))! : line;
    }

    public void Dispose()
    {
        _reader.Dispose();
        client.Dispose();
    }
}
