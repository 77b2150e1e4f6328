using System.Data.Common;
using System.Text.Json.Serialization;
using AspireStreaming.Archive;
using AspireStreaming.StreamApi.Delivery;
using AspireStreaming.Streaming.Contracts;
using AspireStreaming.Streaming.Redis;
using Microsoft.AspNetCore.Mvc;

namespace AspireStreaming.StreamApi.Audit;

/// <summary>A stream's audit, as clients get it; positions are null where there is none.</summary>
internal sealed record AuditDocument(
    string Stream,
    long Events,
    long Dead,
    long Epochs,
    long Restarts,
    string? First,
    string? Last,
    IEnumerable<AuditDocumentHole> Holes,
    long HoleCount,
    long Duplicates,
    long RepeatedIds,
    bool Trimmed,
    string? ArchivedTo,
    string? HotLast);

/// <summary>A hole, in the terms of <c>stream.gap</c>.</summary>
internal sealed record AuditDocumentHole(string From, string To, long? Missed);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(AuditDocument))]
internal sealed partial class AuditJson : JsonSerializerContext;

internal static class AuditEndpoints
{
    /// <summary>An audit that took too long will hardly be faster at once.</summary>
    private const int RetryAfterSeconds = 60;

    public static void MapAudit(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapGet("/streams/{stream}/audit", AuditAsync).RequireAdmin();

    private static async Task<IResult> AuditAsync(
        HttpContext context, string stream, HotLogReader log, [FromServices] ArchiveAudit? audit = null)
    {
        if (!StreamName.IsValid(stream))
        {
            return Problems.InvalidParameter("stream", StreamName.Rule + ".");
        }

        if (audit is null)
        {
            return Problems.NotSupported("stream", "This service has no archive.");
        }

        return await Dependencies.GuardAsync(context, async () =>
        {
            StreamAudit? found;
            try
            {
                found = await audit.AuditAsync(stream, context.RequestAborted);
            }
            catch (TimeoutException exception)
            {
                return Problems.Unavailable(context, "audit-timeout", exception.Message, RetryAfterSeconds);
            }
            catch (Exception exception) when (exception is DbException or IOException)
            {
                throw new ArchiveUnavailableException("The archive did not answer.", exception);
            }

            var hotLast = await ReadHotLastAsync(log, stream, needed: found is null, context.RequestAborted);
            return found is null && hotLast is null
                ? Problems.NotFound("unknown-stream", "Nobody has published to this stream, or it was deleted.")
                : TypedResults.Json(Describe(stream, found, hotLast), AuditJson.Default.AuditDocument);
        });
    }

    /// <summary>The stream's last position in the hot log, to tell how far the archive is behind.</summary>
    /// <exception cref="Exception">Redis is away, and the answer depends on it.</exception>
    private static async Task<StreamPosition?> ReadHotLastAsync(
        HotLogReader log, string stream, bool needed, CancellationToken cancellationToken)
    {
        try
        {
            return await log.ReadMetaAsync(stream, cancellationToken) is { Deleted: false } meta ? meta.Last : null;
        }
        catch (Exception exception) when (
            !needed && !cancellationToken.IsCancellationRequested && RedisFaults.Classify(exception) != FaultKind.Permanent)
        {
            return null;
        }
    }

    private static AuditDocument Describe(string stream, StreamAudit? found, StreamPosition? hotLast) => new(
        stream,
        found?.Events ?? 0,
        found?.Dead ?? 0,
        found?.Epochs ?? 0,
        found?.Restarts ?? 0,
        found?.First?.ToString(),
        found?.Last?.ToString(),
        found?.Holes.Select(hole => new AuditDocumentHole(hole.From.ToString(), hole.To.ToString(), hole.Missed)) ?? [],
        found?.HoleCount ?? 0,
        found?.Duplicates ?? 0,
        found?.RepeatedIds ?? 0,
        found?.Trimmed ?? false,
        found?.ArchivedTo.ToString(),
        hotLast?.ToString());
}
