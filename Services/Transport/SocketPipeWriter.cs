using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;

namespace AspireStreaming.Transport;

/// <summary>
/// A connection's output whose flush sends to the socket itself, in the thread that flushes. The transport's own output hands what
/// it is given through a pipe to a second loop, which costs a fan-out to many sockets more than the copy and almost as much as the
/// system call. It holds no memory while there is nothing to send.
/// </summary>
/// <remarks>
/// The rules of <see cref="PipeWriter"/> hold: a flush that the socket takes whole is done at once; else what is left is sent in the
/// background, in order, and the flush waits for it. A flush that was cancelled has not taken back what it began to send.
/// </remarks>
internal sealed class SocketPipeWriter(Socket socket, PipeReader input) : PipeWriter, IDuplexPipe
{
    private const int MinBuffer = 4 << 10;

    /// <summary>
    /// What does not fit into the first buffer is more than an event or two: the next has room for most batches, so that it is copied
    /// once. What does not fit into that is sent without waiting for the flush, as far as the socket takes it.
    /// </summary>
    private const int BatchBuffer = 64 << 10;

    /// <summary>Largest buffer that is asked for because the flush before was so long: each send costs both sides more than the bytes in it.</summary>
    private const int LongBuffer = 512 << 10;

    private byte[]? _buffer;
    private int _used;
    private int _sentAhead;
    private int _lastFlush;
    private Task? _sending;
    private TaskCompletionSource? _cancelled;
    private volatile bool _isGone;

    private bool IsSending => _sending is { IsCompleted: false };

    /// <summary>The transport's own.</summary>
    public PipeReader Input => input;

    /// <summary>Itself: one object less for each connection.</summary>
    public PipeWriter Output => this;

    /// <summary>Completes when what was flushed is sent, or never will be; never fails.</summary>
    public Task Sent => _sending ?? Task.CompletedTask;

    public override bool CanGetUnflushedBytes => true;

    public override long UnflushedBytes => _used;

    public override Memory<byte> GetMemory(int sizeHint = 0) => Room(sizeHint).AsMemory(_used);

    public override Span<byte> GetSpan(int sizeHint = 0) => Room(sizeHint).AsSpan(_used);

    public override void Advance(int bytes)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bytes);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytes, (_buffer?.Length ?? 0) - _used);
        _used += bytes;
    }

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (_buffer is not { } buffer)
        {
            return IsSending ? WaitAsync(_sending!, cancellationToken) : new(Result(isCanceled: false));
        }

        var length = _used;
        _lastFlush = _sentAhead + length;
        _sentAhead = 0;
        _buffer = null;
        _used = 0;
        var sent = SendNow(buffer.AsSpan(0, length));
        if (sent == length || _isGone)
        {
            ArrayPool<byte>.Shared.Return(buffer);
            return new(Result(isCanceled: false));
        }

        _sending = SendRestAsync(_sending, buffer, sent, length);
        return WaitAsync(_sending, cancellationToken);
    }

    /// <summary>
    /// Writes and flushes, without a copy of what the socket takes at once; the rest is copied, so that the memory is the caller's again
    /// when this returns, though the flush may go on.
    /// </summary>
    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default)
    {
        if (_buffer is not null)
        {
            this.Write(source.Span);
            return FlushAsync(cancellationToken);
        }

        var rest = source.Span[SendNow(source.Span)..];
        if (rest.IsEmpty || _isGone)
        {
            return FlushAsync(cancellationToken);
        }

        var copy = ArrayPool<byte>.Shared.Rent(rest.Length);
        rest.CopyTo(copy);
        _sending = SendRestAsync(_sending, copy, 0, rest.Length);
        return WaitAsync(_sending, cancellationToken);
    }

    public override void CancelPendingFlush() => Volatile.Read(ref _cancelled)?.TrySetResult();

    /// <summary>What was flushed is still sent.</summary>
    /// <remarks>
    /// The server completes an aborted connection's output while the request may still be writing into memory that it got before. That
    /// memory is left to the collector: from the pool somebody else would get it, and be written over.
    /// </remarks>
    public override void Complete(Exception? exception = null)
    {
        _buffer = null;
        _used = 0;
    }

    private byte[] Room(int sizeHint)
    {
        var wanted = Math.Max(sizeHint, 1);
        if (_buffer is not { } buffer)
        {
            // A flush that takes three sends of the usual buffer, or more, is likely to be followed by another of the kind.
            return _buffer = ArrayPool<byte>.Shared.Rent(Math.Max(wanted, _lastFlush > 2 * BatchBuffer ? Math.Min(_lastFlush, LongBuffer) : MinBuffer));
        }

        if (buffer.Length - _used >= wanted)
        {
            return buffer;
        }

        if (buffer.Length >= BatchBuffer)
        {
            SendAhead(buffer);
            if (buffer.Length - _used >= wanted)
            {
                return buffer;
            }
        }

        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(_used + wanted, Math.Max(2 * buffer.Length, BatchBuffer)));
        buffer.AsSpan(0, _used).CopyTo(larger);
        ArrayPool<byte>.Shared.Return(buffer);
        return _buffer = larger;
    }

    /// <summary>Makes room by sending what is written already, unless something before it is still being sent.</summary>
    private void SendAhead(byte[] buffer)
    {
        if (IsSending)
        {
            return;
        }

        var sent = SendNow(buffer.AsSpan(0, _used));
        _sentAhead += sent;
        buffer.AsSpan(sent, _used - sent).CopyTo(buffer);
        _used = _isGone ? 0 : _used - sent;
    }

    /// <summary>Sends what the socket takes at once: nothing while something before it is still being sent.</summary>
    /// <returns>How much that was.</returns>
    private int SendNow(ReadOnlySpan<byte> bytes)
    {
        var sent = 0;
        if (!IsSending)
        {
            while (sent < bytes.Length && !_isGone && TrySend(bytes[sent..], out var count))
            {
                sent += count;
            }
        }

        return sent;
    }

    /// <summary>Tries once to send.</summary>
    /// <returns>False when the socket takes nothing now, or never will.</returns>
    private bool TrySend(ReadOnlySpan<byte> bytes, out int sent)
    {
        try
        {
            sent = socket.Send(bytes, SocketFlags.None, out var error);
            if (error is not (SocketError.Success or SocketError.WouldBlock))
            {
                _isGone = true;
            }

            return error == SocketError.Success;
        }
        catch (ObjectDisposedException)
        {
            _isGone = true;
            sent = 0;
            return false;
        }
    }

    private async Task SendRestAsync(Task? before, byte[] buffer, int sent, int length)
    {
        if (before is not null)
        {
            await before.ConfigureAwait(false);
        }

        try
        {
            while (sent < length && !_isGone)
            {
                sent += await socket.SendAsync(buffer.AsMemory(sent, length - sent), SocketFlags.None).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is SocketException or ObjectDisposedException)
        {
            // The receiving side learns of it too, and ends the connection.
            _isGone = true;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private async ValueTask<FlushResult> WaitAsync(Task sending, CancellationToken cancellationToken)
    {
        if (!sending.IsCompleted)
        {
            var cancelled = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            Volatile.Write(ref _cancelled, cancelled);
            await Task.WhenAny(sending, cancelled.Task).WaitAsync(cancellationToken).ConfigureAwait(false);
            Volatile.Write(ref _cancelled, null);
            if (!sending.IsCompleted)
            {
                return Result(isCanceled: true);
            }
        }

        if (_sending == sending)
        {
            _sending = null;
        }

        return Result(isCanceled: false);
    }

    private FlushResult Result(bool isCanceled) => new(isCanceled, isCompleted: _isGone);
}
