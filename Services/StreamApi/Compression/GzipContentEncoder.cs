using System.Buffers;
using System.IO.Compression;

namespace AspireStreaming.StreamApi.Compression;

/// <summary><c>gzip</c>; each flush ends with an empty block, as decoders of live streams need it.</summary>
internal sealed class GzipContentEncoder : ContentEncoder
{
    private readonly WriterStream _target;
    private readonly GZipStream _stream;

    public GzipContentEncoder(IBufferWriter<byte> target, CompressionLevel level)
    {
        _target = new WriterStream(target);
        _stream = new GZipStream(_target, level, leaveOpen: true);
    }

    public override void Write(ReadOnlySpan<byte> source) => _stream.Write(source);

    public override void Flush() => _stream.Flush();

    public override void Finish() => _stream.Dispose();

    public override void Dispose()
    {
        // Disposing writes the checksum, and what is disposed unfinished may have nobody left to write to.
        _target.IsClosed = true;
        _stream.Dispose();
    }

    /// <summary>The stream that <see cref="GZipStream"/> wants to write to.</summary>
    private sealed class WriterStream(IBufferWriter<byte> target) : Stream
    {
        /// <summary>Whether what is written is dropped.</summary>
        public bool IsClosed { get; set; }

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
            // The pipe is flushed by who owns it.
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            if (!IsClosed)
            {
                target.Write(buffer);
            }
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
