using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;

namespace AspireStreaming.StreamApi.Tests.Support;

/// <summary>One frame: the lines between two blank ones.</summary>
internal sealed record SseFrame(string Raw)
{
    public string? Id => Field("id");

    public string? Event => Field("event");

    public string? Data => Field("data");

    public string? Retry => Field("retry");

    public bool IsComment => Raw.StartsWith(':');

    public bool IsControl => Event?.StartsWith("stream.", StringComparison.Ordinal) == true;

    public JsonElement Json => JsonDocument.Parse(Data!).RootElement;

    /// <summary>The number in a delivered test event.</summary>
    public int Number => Json.GetProperty("data").GetInt32();

    private string? Field(string name) => Raw.Split('\n')
        .Where(line => line.StartsWith(name + ": ", StringComparison.Ordinal)).Select(line => line[(name.Length + 2)..]).LastOrDefault();
}

/// <summary>An SSE client down to the socket: it sees every byte of the body, and can stop reading.</summary>
internal sealed class SseClient : IAsyncDisposable
{
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly TcpClient _tcp;
    private readonly StringBuilder _text = new();
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private readonly byte[] _buffer = new byte[16 << 10];
    private readonly byte[] _body = new byte[16 << 10];
    private int _start;
    private int _end;
    private int _chunkLeft;
    private bool _over;

    private SseClient(TcpClient tcp) => _tcp = tcp;

    public int Status { get; private set; }

    public Dictionary<string, string> Headers { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Everything received of the body.</summary>
    public StringBuilder Received { get; } = new();

    /// <summary>The client's end of the connection.</summary>
    public Socket Socket => _tcp.Client;

    public static async Task<SseClient> OpenAsync(
        Uri server, string pathAndQuery, string? lastEventId = null, int receiveBuffer = 0, string? forwardedFor = null)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        var tcp = new TcpClient();
        if (receiveBuffer > 0)
        {
            tcp.ReceiveBufferSize = receiveBuffer;
        }

        await tcp.ConnectAsync(server.Host, server.Port, cancellationToken);
        tcp.NoDelay = true;
        var request = $"GET {pathAndQuery} HTTP/1.1\r\nHost: {server.Authority}\r\nAccept: text/event-stream\r\n"
            + (lastEventId is null ? "" : $"Last-Event-ID: {lastEventId}\r\n")
            + (forwardedFor is null ? "" : $"X-Forwarded-For: {forwardedFor}\r\n") + "\r\n";
        await tcp.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), cancellationToken);
        var client = new SseClient(tcp);
        await client.ReadHeadAsync(cancellationToken).WaitAsync(Patience, TimeProvider.System, cancellationToken);
        return client;
    }

    /// <summary>The next frame that is no heartbeat; null at the end of the body.</summary>
    public async Task<SseFrame?> ReadAsync(TimeSpan? patience = null)
    {
        var watch = Stopwatch.StartNew();
        while (true)
        {
            // Heartbeats don't prolong it.
            var left = (patience ?? Patience) - watch.Elapsed;
            var frame = await ReadAnyAsync(left > TimeSpan.Zero ? left : TimeSpan.Zero);
            if (frame is null || !frame.IsComment)
            {
                return frame;
            }
        }
    }

    /// <summary>The next frame, heartbeats too; null at the end of the body.</summary>
    public async Task<SseFrame?> ReadAnyAsync(TimeSpan? patience = null)
    {
        var cancellationToken = TestContext.Current.CancellationToken;
        try
        {
            return await ReadFrameAsync(cancellationToken).WaitAsync(patience ?? Patience, TimeProvider.System, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw new TimeoutException($"No frame came. The last received: {Received.ToString(Math.Max(0, Received.Length - 500), Math.Min(500, Received.Length))}");
        }
    }

    /// <summary>The next delivered event; control and id-only frames in between are passed over.</summary>
    public async Task<SseFrame> ReadEventAsync(TimeSpan? patience = null)
    {
        while (true)
        {
            var frame = await ReadAsync(patience) ?? throw new EndOfStreamException($"The stream ended. Received: {Received}");
            if (frame.Data is not null && !frame.IsControl)
            {
                return frame;
            }
        }
    }

    /// <summary>The next control event of a name; events in between fail the test.</summary>
    public async Task<SseFrame> ReadControlAsync(string name)
    {
        while (true)
        {
            var frame = await ReadAsync() ?? throw new EndOfStreamException($"The stream ended. Received: {Received}");
            if (frame.IsControl)
            {
                Assert.Equal(name, frame.Event);
                Assert.Null(frame.Id);
                return frame;
            }

            Assert.Null(frame.Data);
        }
    }

    /// <summary>Reads everything to the end of the body.</summary>
    public async Task<List<SseFrame>> ReadToEndAsync()
    {
        var frames = new List<SseFrame>();
        while (await ReadAnyAsync() is { } frame)
        {
            frames.Add(frame);
        }

        return frames;
    }

    public ValueTask DisposeAsync()
    {
        _tcp.Dispose();
        return ValueTask.CompletedTask;
    }

    private async Task<SseFrame?> ReadFrameAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var text = _text.ToString();
            var end = text.IndexOf("\n\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                _text.Remove(0, end + 2);
                return new SseFrame(text[..end]);
            }

            var count = await ReadBodyAsync(cancellationToken);
            if (count == 0)
            {
                Assert.Equal("", text);
                return null;
            }

            var characters = new char[count + 4];
            var length = _decoder.GetChars(_body.AsSpan(0, count), characters, flush: false);
            _text.Append(characters, 0, length);
            Received.Append(characters, 0, length);
        }
    }

    private async Task ReadHeadAsync(CancellationToken cancellationToken)
    {
        var line = await ReadLineAsync(cancellationToken);
        Status = int.Parse(line.Split(' ')[1], CultureInfo.InvariantCulture);
        while ((line = await ReadLineAsync(cancellationToken)).Length > 0)
        {
            var colon = line.IndexOf(':', StringComparison.Ordinal);
            Headers[line[..colon]] = line[(colon + 1)..].Trim();
        }

        _over = !Headers.ContainsKey("Transfer-Encoding");
    }

    private async Task<int> ReadBodyAsync(CancellationToken cancellationToken)
    {
        if (_over)
        {
            return 0;
        }

        if (_chunkLeft == 0)
        {
            _chunkLeft = int.Parse(await ReadLineAsync(cancellationToken), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (_chunkLeft == 0)
            {
                _over = true;
                return 0;
            }
        }

        if (_start == _end && !await FillAsync(cancellationToken))
        {
            throw new EndOfStreamException("The connection was cut.");
        }

        var count = Math.Min(Math.Min(_chunkLeft, _end - _start), _body.Length);
        _buffer.AsSpan(_start, count).CopyTo(_body);
        _start += count;
        _chunkLeft -= count;
        if (_chunkLeft == 0)
        {
            await ReadLineAsync(cancellationToken);
        }

        return count;
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        var line = new StringBuilder();
        while (true)
        {
            while (_start < _end)
            {
                var character = (char)_buffer[_start++];
                if (character == '\n')
                {
                    return line.ToString().TrimEnd('\r');
                }

                line.Append(character);
            }

            if (!await FillAsync(cancellationToken))
            {
                throw new EndOfStreamException("The connection was cut.");
            }
        }
    }

    private async Task<bool> FillAsync(CancellationToken cancellationToken)
    {
        _start = 0;
        _end = await _tcp.GetStream().ReadAsync(_buffer, cancellationToken);
        return _end > 0;
    }
}
