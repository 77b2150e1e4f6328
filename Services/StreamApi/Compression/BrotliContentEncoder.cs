using System.Buffers;
using System.IO.Compression;

namespace AspireStreaming.StreamApi.Compression;

/// <summary>
/// <c>br</c>. Qualities 0 and 1 would need no memory, but they look for repeats inside a flush only, and the repeats are between
/// events: an event alone shrinks to 75% with quality 1 and to 25% with quality 2.
/// </summary>
internal sealed class BrotliContentEncoder(IBufferWriter<byte> target, int quality, int window) : ContentEncoder
{
    private const int OutputBytes = 512;

    private BrotliEncoder _encoder = new(quality, window);

    public override void Write(ReadOnlySpan<byte> source) => Compress(source, isFinal: false);

    public override void Flush()
    {
        OperationStatus status;
        do
        {
            status = _encoder.Flush(target.GetSpan(OutputBytes), out var written);
            target.Advance(written);
        }
        while (status == OperationStatus.DestinationTooSmall);
    }

    public override void Finish() => Compress([], isFinal: true);

    public override void Dispose() => _encoder.Dispose();

    private void Compress(ReadOnlySpan<byte> source, bool isFinal)
    {
        OperationStatus status;
        do
        {
            status = _encoder.Compress(source, target.GetSpan(OutputBytes), out var consumed, out var written, isFinal);
            target.Advance(written);
            source = source[consumed..];
        }
        while (status == OperationStatus.DestinationTooSmall || source.Length > 0);
    }
}
