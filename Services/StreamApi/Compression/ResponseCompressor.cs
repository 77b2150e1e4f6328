using System.Buffers;
using System.Diagnostics.Metrics;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace AspireStreaming.StreamApi.Compression;

/// <summary>Decides which answers are compressed, and bounds the memory that it costs.</summary>
internal sealed class ResponseCompressor
{
    private readonly CompressionOptions _options;
    private readonly Counter<long> _before;
    private readonly Counter<long> _after;
    private readonly Counter<long> _passed;
    private int _live;

    public ResponseCompressor(IMeterFactory factory, IOptions<CompressionOptions> options)
    {
        _options = options.Value;
        var meter = factory.Create(StreamApiMetrics.MeterName);
        _before = meter.CreateCounter<long>("aspirestreaming.stream.compression.before", "By", "Bytes before compression, by coding");
        _after = meter.CreateCounter<long>("aspirestreaming.stream.compression.after", "By", "Bytes after compression, by coding");
        _passed = meter.CreateCounter<long>(
            "aspirestreaming.stream.compression.passed", "{connection}", "Connections not compressed because as many as allowed are");
        meter.CreateObservableGauge(
            "aspirestreaming.stream.compression.connections", () => Live, "{connection}", "Live connections that are compressed");
    }

    /// <summary>Live connections that are compressed.</summary>
    public int Live => Volatile.Read(ref _live);

    /// <summary>Compresses a live connection's answer from here on, if its client asks and there is room for one more.</summary>
    /// <returns>To be finished and disposed when the connection ends; null: the answer is sent as it is.</returns>
    public CompressedBody? TryStartLive(HttpContext context)
    {
        // A third of the processor time of br at about the same size (Benchmarks/CompressionCost).
        var coding = Choose(context, ContentCoding.Gzip);
        if (coding == ContentCoding.Identity)
        {
            return null;
        }

        if (Interlocked.Increment(ref _live) > _options.MaxConnections)
        {
            Interlocked.Decrement(ref _live);
            _passed.Add(1);
            return null;
        }

        return Start(context, coding, target => ContentEncoder.ForLive(coding, target), () => Interlocked.Decrement(ref _live));
    }

    /// <summary>Compresses a page, if its client asks and it is large enough.</summary>
    /// <inheritdoc cref="TryStartLive" path="/returns"/>
    public CompressedBody? TryStartPage(HttpContext context, long bytes)
    {
        var coding = Choose(context, ContentCoding.Brotli);
        return coding == ContentCoding.Identity || bytes < _options.MinPageBytes
            ? null
            : Start(context, coding, target => ContentEncoder.ForPage(coding, target), static () => { });
    }

    private ContentCoding Choose(HttpContext context, ContentCoding preferred)
    {
        if (!_options.Enabled)
        {
            return ContentCoding.Identity;
        }

        context.Response.Headers.Append(HeaderNames.Vary, HeaderNames.AcceptEncoding);
        return ContentCodings.Choose(context.Request, preferred);
    }

    private CompressedBody Start(HttpContext context, ContentCoding coding, Func<IBufferWriter<byte>, ContentEncoder> encode, Action release)
    {
        var name = ContentCodings.NameOf(coding);
        context.Response.Headers.ContentEncoding = name;
        var body = context.Features.GetRequiredFeature<IHttpResponseBodyFeature>();
        return new CompressedBody(context, body, encode, (before, after) =>
        {
            release();
            var tag = new KeyValuePair<string, object?>("coding", name);
            _before.Add(before, tag);
            _after.Add(after, tag);
        });
    }
}
