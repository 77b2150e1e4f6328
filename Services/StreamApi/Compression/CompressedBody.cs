using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http.Features;

namespace AspireStreaming.StreamApi.Compression;

/// <summary>
/// Stands before a response's body and compresses what is written to it; whoever writes to the body's pipe notices nothing. A flush
/// makes everything before it decodable. Between flushes it holds nothing but the compressor.
/// </summary>
internal sealed class CompressedBody : PipeWriter, IHttpResponseBodyFeature, IDisposable
{
    private const int ChunkBytes = 16 << 10;

    private readonly HttpContext _context;
    private readonly IHttpResponseBodyFeature _inner;
    private readonly CountingWriter _target;
    private readonly ContentEncoder _encoder;
    private readonly Action<long, long> _released;
    private byte[]? _chunk;
    private int _used;
    private long _read;
    private bool _finished;
    private bool _disposed;

    /// <param name="context">The request; its body is this one until <see cref="Dispose"/>.</param>
    /// <param name="inner">The body.</param>
    /// <param name="encode">Makes the encoder.</param>
    /// <param name="released">Called once, with the bytes before and after compression.</param>
    public CompressedBody(
        HttpContext context, IHttpResponseBodyFeature inner, Func<IBufferWriter<byte>, ContentEncoder> encode, Action<long, long> released)
    {
        _context = context;
        _inner = inner;
        _target = new CountingWriter(inner.Writer);
        _encoder = encode(_target);
        _released = released;
        context.Features.Set<IHttpResponseBodyFeature>(this);
    }

    public Stream Stream => AsStream(leaveOpen: true);

    public PipeWriter Writer => this;

    public override bool CanGetUnflushedBytes => _inner.Writer.CanGetUnflushedBytes;

    public override long UnflushedBytes => _inner.Writer.UnflushedBytes + _used;

    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (_chunk is not null && _chunk.Length - _used < Math.Max(sizeHint, 1))
        {
            Encode();
            Return();
        }

        _chunk ??= ArrayPool<byte>.Shared.Rent(Math.Max(ChunkBytes, sizeHint));
        return _chunk.AsMemory(_used);
    }

    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    public override void Advance(int bytes) => _used += bytes;

    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        Encode();
        Return();
        _encoder.Flush();
        return _inner.Writer.FlushAsync(cancellationToken);
    }

    public override void CancelPendingFlush() => _inner.Writer.CancelPendingFlush();

    public override void Complete(Exception? exception = null)
    {
        if (exception is null)
        {
            Finish();
        }
    }

    /// <summary>Writes what ends the compressed answer; it is sent when the response ends.</summary>
    public void Finish()
    {
        if (!_finished && !_context.RequestAborted.IsCancellationRequested)
        {
            _finished = true;
            Encode();
            _encoder.Finish();
        }
    }

    public void DisableBuffering() => _inner.DisableBuffering();

    public Task StartAsync(CancellationToken cancellationToken = default) => _inner.StartAsync(cancellationToken);

    public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) =>
        SendFileFallback.SendFileAsync(Stream, path, offset, count, cancellationToken);

    public Task CompleteAsync()
    {
        Finish();
        return _inner.CompleteAsync();
    }

    public void Dispose()
    {
        if (!_disposed)
        {
            _disposed = true;
            _context.Features.Set(_inner);
            Return();
            _encoder.Dispose();
            _released(_read, _target.Written);
        }
    }

    private void Encode()
    {
        if (_used > 0)
        {
            _encoder.Write(_chunk.AsSpan(0, _used));
            _read += _used;
            _used = 0;
        }
    }

    private void Return()
    {
        if (_chunk is not null)
        {
            ArrayPool<byte>.Shared.Return(_chunk);
            _chunk = null;
        }
    }

    /// <summary>Counts what an encoder writes.</summary>
    private sealed class CountingWriter(PipeWriter writer) : IBufferWriter<byte>
    {
        public long Written { get; private set; }

        public void Advance(int count)
        {
            Written += count;
            writer.Advance(count);
        }

        public Memory<byte> GetMemory(int sizeHint = 0) => writer.GetMemory(sizeHint);

        public Span<byte> GetSpan(int sizeHint = 0) => writer.GetSpan(sizeHint);
    }
}
