using System.Net;
using System.Text;

namespace AspireStreaming.PublisherApi.Tests.Http;

/// <summary>A body of unknown length that is made while it is sent.</summary>
internal sealed class GeneratedContent : HttpContent
{
    private readonly Func<Stream, Task> _write;

    public GeneratedContent(Func<Stream, Task> write, string contentType = "application/x-ndjson")
    {
        _write = write;
        Headers.TryAddWithoutValidation("Content-Type", contentType);
    }

    public static GeneratedContent Lines(IEnumerable<string> lines) => new(async stream =>
    {
        await using var writer = new StreamWriter(stream, new UTF8Encoding(false), 16 << 10, leaveOpen: true);
        foreach (var line in lines)
        {
            await writer.WriteAsync(line);
            await writer.WriteAsync('\n');
        }
    });

    protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => _write(stream);

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
