using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;

namespace AspireStreaming.Benchmarks.Load;

/// <summary>
/// A connection that sends prepared HTTP/1.1 requests and reads answers that have a Content-Length or come in chunks, and nothing else: the client shares the
/// cores with what it measures, so it does as little as it can.
/// </summary>
internal sealed class HttpLine : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private readonly byte[] _buffer = new byte[16 << 10];

    public async Task ConnectAsync(IPEndPoint endpoint) => await _socket.ConnectAsync(endpoint).ConfigureAwait(false);

    /// <summary>Sends a request and returns the status of the answer.</summary>
    public async Task<int> SendAsync(ReadOnlyMemory<byte> request)
    {
        while (!request.IsEmpty)
        {
            request = request[await _socket.SendAsync(request).ConfigureAwait(false)..];
        }

        var filled = 0;
        while (true)
        {
            var read = await _socket.ReceiveAsync(_buffer.AsMemory(filled)).ConfigureAwait(false);
            if (read == 0)
            {
                throw new IOException("The server closed the connection.");
            }

            filled += read;
            if (TryReadAnswer(_buffer.AsSpan(0, filled), out var status))
            {
                return status;
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private static bool TryReadAnswer(ReadOnlySpan<byte> bytes, out int status)
    {
        status = 0;
        var end = bytes.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        var head = bytes[..end];
        if (head.IndexOf("Transfer-Encoding: chunked"u8) >= 0)
        {
            // No answer contains this anywhere else.
            return Utf8Parser.TryParse(head[9..], out status, out _) && bytes.EndsWith("\r\n0\r\n\r\n"u8);
        }

        var at = head.IndexOf("Content-Length: "u8);
        if (!Utf8Parser.TryParse(head[9..], out status, out _) || at < 0 || !Utf8Parser.TryParse(head[(at + 16)..], out int length, out _))
        {
            throw new InvalidDataException("An answer has no status or no Content-Length.");
        }

        return bytes.Length >= end + 4 + length;
    }
}
