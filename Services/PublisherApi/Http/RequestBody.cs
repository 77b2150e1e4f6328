using System.Buffers;
using System.IO.Pipelines;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>A whole request body in one piece: the server's own memory where it came in one, a rented array otherwise.</summary>
internal struct RequestBody : IDisposable
{
    private const int FirstRent = 16 << 10;

    private readonly PipeReader? _reader;
    private readonly SequencePosition _end;
    private byte[]? _rented;

    private RequestBody(ReadOnlyMemory<byte> memory, PipeReader? reader, SequencePosition end, byte[]? rented)
    {
        Memory = memory;
        _reader = reader;
        _end = end;
        _rented = rented;
    }

    public ReadOnlyMemory<byte> Memory { get; }

    /// <summary>Reads up to the request's end.</summary>
    /// <exception cref="BadHttpRequestException">The body is too large (413) or broken off.</exception>
    public static async ValueTask<RequestBody> ReadAsync(HttpRequest request, int maxBytes, CancellationToken cancellationToken)
    {
        var reader = request.BodyReader;
        var result = await reader.ReadAsync(cancellationToken);
        if (result.IsCompleted && result.Buffer.IsSingleSegment && result.Buffer.Length <= maxBytes)
        {
            return new RequestBody(result.Buffer.First, reader, result.Buffer.End, null);
        }

        var rented = ArrayPool<byte>.Shared.Rent(request.ContentLength is { } length and > 0 ? (int)length : FirstRent);
        try
        {
            var count = 0;
            while (true)
            {
                if (count + result.Buffer.Length > maxBytes)
                {
                    // A read that is not finished would keep the server from draining the rest, and cost the connection.
                    reader.AdvanceTo(result.Buffer.End);
                    throw new BadHttpRequestException("The body is too large.", StatusCodes.Status413PayloadTooLarge);
                }

                var needed = count + (int)result.Buffer.Length;
                if (needed > rented.Length)
                {
                    var larger = ArrayPool<byte>.Shared.Rent(Math.Max(needed, rented.Length * 2));
                    rented.AsSpan(0, count).CopyTo(larger);
                    ArrayPool<byte>.Shared.Return(rented);
                    rented = larger;
                }

                result.Buffer.CopyTo(rented.AsSpan(count));
                count = needed;
                reader.AdvanceTo(result.Buffer.End);
                if (result.IsCompleted)
                {
                    return new RequestBody(rented.AsMemory(0, count), null, default, rented);
                }

                result = await reader.ReadAsync(cancellationToken);
            }
        }
        catch
        {
            ArrayPool<byte>.Shared.Return(rented);
            throw;
        }
    }

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        _reader?.AdvanceTo(_end);
        if (_rented is { } rented)
        {
            _rented = null;
            ArrayPool<byte>.Shared.Return(rented);
        }
    }
}
