using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;
using AspireStreaming.TestSupport;
using AspireStreaming.Transport;

namespace AspireStreaming.PublisherApi.Tests.Transport;

public sealed class SocketPipeWriterTests : IAsyncLifetime
{
    /// <summary>More than a socket of this machine takes without its reader.</summary>
    private const int TooMuch = 32 << 20;

    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(20);

    private SocketPair _sockets = null!;
    private SocketPipeWriter _writer = null!;

    private static CancellationToken Cancelled => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        _sockets = await SocketPair.ConnectAsync(Cancelled);
        _writer = new SocketPipeWriter(_sockets.Server, new Pipe().Reader);
    }

    public ValueTask DisposeAsync()
    {
        _sockets.Dispose();
        return ValueTask.CompletedTask;
    }

    [Fact]
    public async Task FlushAsync_what_the_socket_takes_is_sent_at_once()
    {
        Write("first ");
        Write("second");

        var flush = _writer.FlushAsync(Cancelled);

        Assert.True(flush.IsCompletedSuccessfully);
        Assert.False((await flush).IsCompleted);
        Assert.Equal(0, _writer.UnflushedBytes);
        Assert.Equal("first second", await ReadTextAsync(12));
    }

    [Fact]
    public async Task GetMemory_again_before_a_flush_what_was_written_stays()
    {
        var expected = new StringBuilder();
        for (var index = 0; index < 5_000; index++)
        {
            var text = $"line {index}\n";
            Write(text);
            expected.Append(text);
        }

        Assert.Equal(expected.Length, _writer.UnflushedBytes);
        await _writer.FlushAsync(Cancelled);

        Assert.Equal(expected.ToString(), await ReadTextAsync(expected.Length));
    }

    [Fact]
    public async Task FlushAsync_after_a_long_flush_the_next_is_sent_whole_and_after_a_short_one_no_longer()
    {
        const int Long = 200_000;
        var reading = ReadAsync((3 * Long) + 5);
        var bytes = Pattern(Long);

        Write(bytes);
        Assert.InRange(_writer.UnflushedBytes, 1, Long - 1);
        await _writer.FlushAsync(Cancelled);
        Write(bytes);
        Assert.Equal(Long, _writer.UnflushedBytes);
        await _writer.FlushAsync(Cancelled);
        Write("short");
        await _writer.FlushAsync(Cancelled);
        Write(bytes);
        Assert.InRange(_writer.UnflushedBytes, 1, Long - 1);
        await _writer.FlushAsync(Cancelled);

        Assert.Equal((byte[])[.. bytes, .. bytes, .. "short"u8, .. bytes], await reading);
    }

    [Fact]
    public async Task FlushAsync_a_full_socket_is_waited_for_and_what_follows_comes_behind()
    {
        var expected = Pattern(TooMuch);
        Write(expected);
        var flush = _writer.FlushAsync(Cancelled);
        Assert.False(flush.IsCompleted);

        var reading = ReadAsync(TooMuch + 3);
        await flush;
        Write("end");
        await _writer.FlushAsync(Cancelled);

        var read = await reading;
        Assert.True(expected.AsSpan().SequenceEqual(read.AsSpan(0, TooMuch)));
        Assert.Equal("end"u8.ToArray(), read[TooMuch..]);
    }

    [Fact]
    public async Task FlushAsync_cancelled_or_given_up_nothing_is_lost_and_nothing_overtakes()
    {
        var expected = Pattern(TooMuch);
        Write(expected);
        using (var impatient = new CancellationTokenSource())
        {
            var flush = _writer.FlushAsync(impatient.Token).AsTask();
            Assert.False(flush.IsCompleted);
            await impatient.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush);
        }

        Write("second ");
        var second = _writer.FlushAsync(Cancelled).AsTask();
        Assert.False(second.IsCompleted);
        _writer.CancelPendingFlush();
        Assert.True((await second.WaitAsync(Deadline, Cancelled)).IsCanceled);
        Write("third");
        var third = _writer.FlushAsync(Cancelled).AsTask();

        var read = await ReadAsync(TooMuch + 12);
        Assert.False((await third.WaitAsync(Deadline, Cancelled)).IsCanceled);
        Assert.True(expected.AsSpan().SequenceEqual(read.AsSpan(0, TooMuch)));
        Assert.Equal("second third"u8.ToArray(), read[TooMuch..]);
    }

    [Fact]
    public async Task FlushAsync_the_peer_goes_while_it_waits_the_flush_tells()
    {
        Write(Pattern(TooMuch));
        var flush = _writer.FlushAsync(Cancelled).AsTask();
        Assert.False(flush.IsCompleted);

        _sockets.Client.Close(0);

        Assert.True((await flush.WaitAsync(Deadline, Cancelled)).IsCompleted);
        Write("more");
        Assert.True((await _writer.FlushAsync(Cancelled)).IsCompleted);
    }

    [Fact]
    public async Task FlushAsync_the_socket_was_disposed_the_flush_tells()
    {
        _sockets.Server.Dispose();
        Write("more");

        Assert.True((await _writer.FlushAsync(Cancelled)).IsCompleted);
    }

    [Fact]
    public async Task WriteAsync_is_sent_at_once_behind_what_was_written_before()
    {
        Write("first ");

        var before = _writer.WriteAsync("second "u8.ToArray(), Cancelled);
        var alone = _writer.WriteAsync("third"u8.ToArray(), Cancelled);

        Assert.True(before.IsCompletedSuccessfully && alone.IsCompletedSuccessfully);
        Assert.Equal(0, _writer.UnflushedBytes);
        Assert.Equal("first second third", await ReadTextAsync(18));
    }

    [Fact]
    public async Task WriteAsync_a_full_socket_is_waited_for_but_the_memory_is_free_at_once_and_nothing_overtakes()
    {
        var expected = Pattern(TooMuch);
        var memory = expected.ToArray();
        using (var impatient = new CancellationTokenSource())
        {
            var first = _writer.WriteAsync(memory, impatient.Token).AsTask();
            Assert.False(first.IsCompleted);
            memory.AsSpan().Clear();
            await impatient.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        }

        var end = "end"u8.ToArray();
        var second = _writer.WriteAsync(end, Cancelled).AsTask();
        Assert.False(second.IsCompleted);
        end.AsSpan().Clear();

        var read = await ReadAsync(TooMuch + 3);
        Assert.False((await second.WaitAsync(Deadline, Cancelled)).IsCompleted);
        Assert.True(expected.AsSpan().SequenceEqual(read.AsSpan(0, TooMuch)));
        Assert.Equal("end"u8.ToArray(), read[TooMuch..]);
    }

    [Fact]
    public async Task WriteAsync_the_socket_was_disposed_it_tells()
    {
        _sockets.Server.Dispose();

        Assert.True((await _writer.WriteAsync("more"u8.ToArray(), Cancelled)).IsCompleted);
    }

    private static byte[] Pattern(int length)
    {
        var bytes = new byte[length];
        new Random(1).NextBytes(bytes);
        return bytes;
    }

    [Fact]
    public void Complete_while_memory_is_written_to_nobody_else_gets_it()
    {
        var held = _writer.GetMemory(100);
        Assert.True(MemoryMarshal.TryGetArray<byte>(held, out var array));

        _writer.Complete();
        var rented = ArrayPool<byte>.Shared.Rent(array.Array!.Length);

        Assert.NotSame(array.Array, rented);
        ArrayPool<byte>.Shared.Return(rented);
    }

    private void Write(string text)
    {
        var written = Encoding.ASCII.GetBytes(text, _writer.GetSpan(text.Length));
        _writer.Advance(written);
    }

    /// <summary>In pieces, as a pipe is written to.</summary>
    private void Write(byte[] bytes)
    {
        for (var offset = 0; offset < bytes.Length;)
        {
            var memory = _writer.GetMemory();
            var length = Math.Min(memory.Length, bytes.Length - offset);
            bytes.AsSpan(offset, length).CopyTo(memory.Span);
            _writer.Advance(length);
            offset += length;
        }
    }

    private async Task<string> ReadTextAsync(int length) => Encoding.ASCII.GetString(await ReadAsync(length));

    private async Task<byte[]> ReadAsync(int length)
    {
        var bytes = new byte[length];
        using var stream = new NetworkStream(_sockets.Client);
        await stream.ReadExactlyAsync(bytes, Cancelled).AsTask().WaitAsync(Deadline, Cancelled);
        return bytes;
    }
}
