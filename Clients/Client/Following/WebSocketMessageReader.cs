using System.Buffers;
using System.Net.WebSockets;

namespace AspireStreaming.Client.Following;

/// <summary>Puts frames together to messages of bounded size.</summary>
internal sealed class WebSocketMessageReader(WebSocket socket, int maxBytes)
{
    private const int ReadBytes = 16 * 1024;

    private readonly ArrayBufferWriter<byte> _message = new(ReadBytes);

    /// <summary>The next message, valid until the next read; null when the peer has closed.</summary>
    /// <exception cref="InvalidDataException">It is larger than allowed.</exception>
    public async ValueTask<ReadOnlyMemory<byte>?> ReadAsync(CancellationToken cancellationToken)
    {
        _message.ResetWrittenCount();
        while (true)
        {
            var result = await socket.ReceiveAsync(_message.GetMemory(ReadBytes), cancellationToken);
            if (result.MessageType == WebSocketMessageType.Close)
            {
                return null;
            }

            _message.Advance(result.Count);
            if (_message.WrittenCount > maxBytes)
            {
                throw new InvalidDataException($"A message is larger than {maxBytes} bytes.");
            }

            if (result.EndOfMessage)
            {
                return _message.WrittenMemory;
            }
        }
    }
}
