using System.Diagnostics;
using AspireStreaming.PublisherApi.Appending;
using AspireStreaming.PublisherApi.Events;
using AspireStreaming.ServiceDefaults;
using AspireStreaming.ServiceDefaults.Health;
using AspireStreaming.Streaming.Contracts;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using Microsoft.Extensions.Options;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>Answers <c>POST /streams/{stream}/events</c> and <c>DELETE /streams/{stream}</c>.</summary>
internal sealed class PublishHandler(
    EventReader json,
    BinaryEventReader binary,
    EventAppender appender,
    ArchiveProgress archive,
    InFlightBytes inFlight,
    PublishRate rate,
    StreamActivity activity,
    PublisherMetrics metrics,
    LongRequests longRequests,
    IOptions<PublisherOptions> options,
    TimeProvider time,
    ILogger<PublishHandler> logger)
{
    private const int MaxIdempotencyKeyLength = 256;

    private readonly PublisherOptions _options = options.Value;
    private readonly NdjsonContext _ndjson = new(json, appender, rate, options.Value, time, longRequests.Ending);

    public async Task PublishAsync(string stream, HttpContext context)
    {
        activity.RequestStarted();
        var admitted = default(Admitted);
        try
        {
            var problem = Admit(stream, context, out admitted)
                ?? (admitted.Form == ContentForm.Ndjson
                    ? await UploadAsync(stream, admitted, context)
                    : await AppendAsync(stream, admitted, context));
            if (problem is not null)
            {
                metrics.Refused(problem.Kind);
                await problem.WriteAsync(context);
            }
        }
        catch (BadHttpRequestException exception) when (exception.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            metrics.Refused(ProblemKind.TooLarge);
            await BodyTooLarge().WriteAsync(context);
        }
        finally
        {
            inFlight.Release(admitted.Reserved);
            activity.RequestEnded();
        }
    }

    public async Task DeleteAsync(string stream, HttpContext context)
    {
        var problem = await TryDeleteAsync(stream, context);
        if (problem is not null)
        {
            metrics.Refused(problem.Kind);
            await problem.WriteAsync(context);
            return;
        }

        context.Response.StatusCode = StatusCodes.Status204NoContent;
    }

    private static Problem InvalidStream(string stream) =>
        new(ProblemKind.InvalidStream, $"'{(stream.Length > 64 ? stream[..64] + "…" : stream)}' is no stream name: {StreamName.Rule}.")
        {
            Field = "stream",
        };

    /// <summary>Checks all that can be told before the body is read, and takes the request's share of memory.</summary>
    private Problem? Admit(string stream, HttpContext context, out Admitted admitted)
    {
        admitted = default;
        var request = context.Request;
        if (!StreamName.IsValid(stream))
        {
            return InvalidStream(stream);
        }

        if (PublishQuery.TryRead(request, out var query) is { } badQuery)
        {
            return badQuery;
        }

        var form = PublishContent.FormOf(request);
        if (form == ContentForm.Unsupported)
        {
            return new Problem(
                ProblemKind.UnsupportedMediaType,
                "Events are published as application/json, application/cloudevents+json, application/cloudevents-batch+json or "
                + "application/x-ndjson (UTF-8, not compressed), or with ce-* headers.");
        }

        if (TryReadIdempotencyKey(request, out var idempotencyKey) is { } badKey)
        {
            return badKey;
        }

        if (form != ContentForm.Ndjson && request.ContentLength > _options.MaxBatchBytes)
        {
            return BodyTooLarge();
        }

        var caller = rate.CallerOf(context);
        if (rate.WaitOf(caller) is { Ticks: > 0 } wait)
        {
            return Refusals.TooFast(wait);
        }

        var reserved = form == ContentForm.Ndjson
            ? _options.NdjsonChunkBytes + _options.MaxEventBytes
            : request.ContentLength ?? _options.MaxBatchBytes;
        if (!inFlight.TryReserve(reserved))
        {
            return Refusals.TooMuch(_options);
        }

        admitted = new Admitted(query, form, idempotencyKey, caller, reserved);
        return null;
    }

    private async Task<Problem?> AppendAsync(string stream, Admitted admitted, HttpContext context)
    {
        if (context.Request.ContentLength is null or > 16 << 20)
        {
            // The server counts the framing of a chunked body too; ours is the exact limit.
            LimitBody(context, _options.MaxBatchBytes * 2L);
        }

        var batch = new EventBatch(admitted.IdempotencyKey);
        if (await ReadAsync(context, admitted.Form, batch) is { } fault)
        {
            return Problem.From(fault);
        }

        rate.Take(admitted.Caller, batch.Events.Count);
        using var span = PublisherActivity.StartAppend(stream, batch.Events.Count);
        var request = batch.ToRequest(stream, admitted.Query.Expected);
        var outcome = await appender.AppendAsync(request, context.RequestAborted);
        if (Refusals.Of(outcome, request, _options) is { } refused)
        {
            span?.SetStatus(ActivityStatusCode.Error, Problems.Slug(refused.Kind));
            return refused;
        }

        await AnswerAsync(stream, admitted.Query, default(PublishTotals).Add(outcome.Result!), context);
        return null;
    }

    private async Task<Problem?> UploadAsync(string stream, Admitted admitted, HttpContext context)
    {
        LimitBody(context, null);
        if (context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
        {
            // An upload may be a program's live output; our own limit on silence takes the place of the server's on slowness.
            rate.MinDataRate = null;
        }

        using var expiry = context.GetStreamAccess().StartExpiry(time);
        var upload = new NdjsonUpload(_ndjson, stream, admitted.Query.Expected, admitted.IdempotencyKey)
        {
            Expired = expiry.Token,
            Caller = admitted.Caller,
        };
        longRequests.Started();
        try
        {
            return await UploadAsync(upload, stream, admitted.Query, context);
        }
        finally
        {
            longRequests.Ended();
        }
    }

    private async Task<Problem?> UploadAsync(NdjsonUpload upload, string stream, PublishQuery query, HttpContext context)
    {
        if (await upload.RunAsync(context.Request.BodyReader, context.RequestAborted) is { } problem)
        {
            PublisherLog.UploadEnded(logger, stream, problem.Line!.Value, upload.Totals.Accepted, problem.Detail);
            return problem;
        }

        await AnswerAsync(stream, query, upload.Totals, context);
        return null;
    }

    private async Task AnswerAsync(string stream, PublishQuery query, PublishTotals totals, HttpContext context)
    {
        bool? archived = null;
        if (query.ArchiveTimeout is { } timeout)
        {
            archived = await archive.WaitAsync(stream, totals.Newest, timeout, longRequests.Ending, context.RequestAborted);
        }

        await PublishAnswer.WriteAsync(context.Response, stream, totals, archived);
    }

    /// <summary>Reads the body and gives its memory back before anything else is waited for.</summary>
    private async ValueTask<EventFault?> ReadAsync(HttpContext context, ContentForm form, EventBatch batch)
    {
        var request = context.Request;
        using var body = await RequestBody.ReadAsync(request, _options.MaxBatchBytes, context.RequestAborted);
        return form switch
        {
            ContentForm.Binary => binary.Read(request.Headers, request.ContentType, body.Memory.Span, batch),
            ContentForm.Structured => json.Read(body.Memory.Span, JsonShape.Event, batch),
            ContentForm.Batch => json.Read(body.Memory.Span, JsonShape.Array, batch),
            _ => json.Read(body.Memory.Span, JsonShape.EventOrArray, batch),
        };
    }

    private async Task<Problem?> TryDeleteAsync(string stream, HttpContext context)
    {
        if (!StreamName.IsValid(stream))
        {
            return InvalidStream(stream);
        }

        var archiveToo = context.Request.Query["archive"];
        if (archiveToo.Count > 1 || (archiveToo.Count == 1 && archiveToo[0] is not ("true" or "false")))
        {
            return Problem.Parameter("archive", "'archive' must be 'true' or 'false'.");
        }

        if (archiveToo == "true" && !context.GetStreamAccess().IsAdmin)
        {
            return new Problem(ProblemKind.Forbidden, "The claim 'admin' is needed to delete a stream from the archive: nothing brings it back.")
            {
                Claim = "admin",
                Stream = stream,
            };
        }

        return await appender.DeleteAsync(stream, archiveToo == "true", context.RequestAborted);
    }

    private Problem BodyTooLarge() =>
        new(ProblemKind.TooLarge, $"A request has at most {_options.MaxBatchBytes} bytes; longer ones go as application/x-ndjson.")
        {
            Limit = _options.MaxBatchBytes,
        };

    private static void LimitBody(HttpContext context, long? bytes)
    {
        if (context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } feature)
        {
            feature.MaxRequestBodySize = bytes;
        }
    }

    private static Problem? TryReadIdempotencyKey(HttpRequest request, out string? key)
    {
        key = null;
        var values = request.Headers["Idempotency-Key"];
        if (values.Count == 0)
        {
            return null;
        }

        // The header's draft standard makes it a quoted string, most clients send it bare.
        var text = values.Count == 1 ? values[0]!.Trim() : "";
        if (text is ['"', .. var inner, '"'])
        {
            text = inner;
        }

        if (text.Length is 0 or > MaxIdempotencyKeyLength || text.Any(char.IsControl))
        {
            return Problem.Parameter(
                "Idempotency-Key", $"'Idempotency-Key' must be one value of 1 to {MaxIdempotencyKeyLength} characters.");
        }

        key = text;
        return null;
    }

    /// <summary>A request whose body may be read.</summary>
    /// <param name="Query">What its query string asks for.</param>
    /// <param name="Form">The form of its body.</param>
    /// <param name="IdempotencyKey">Its Idempotency-Key.</param>
    /// <param name="Caller">Whom it counts for.</param>
    /// <param name="Reserved">Its share of the memory for bodies, to be given back.</param>
    private readonly record struct Admitted(PublishQuery Query, ContentForm Form, string? IdempotencyKey, string Caller, long Reserved);
}
