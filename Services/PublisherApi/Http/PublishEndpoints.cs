using Microsoft.AspNetCore.Mvc;

namespace AspireStreaming.PublisherApi.Http;

/// <summary>The routes of the Publisher API; <see cref="PublishDocument"/> describes them.</summary>
internal static class PublishEndpoints
{
    /// <remarks>
    /// The handler is taken once and the stream's name read from the route: binding both for each request would open a scope of services
    /// each time, and what the handler does is little. It gives all its refusals a body, so that nothing has to watch for one without.
    /// </remarks>
    public static void MapPublisher(this IEndpointRouteBuilder routes)
    {
        var handler = routes.ServiceProvider.GetRequiredService<PublishHandler>();
        routes.MapPost("/streams/{stream}/events", context => handler.PublishAsync(StreamOf(context), context))
            .WithMetadata(((Delegate)Describe).Method, new SkipStatusCodePagesAttribute())
            .RequirePublish();
        routes.MapDelete("/streams/{stream}", context => handler.DeleteAsync(StreamOf(context), context))
            .WithMetadata(((Delegate)Describe).Method)
            .RequirePublish();
    }

    private static string StreamOf(HttpContext context) => (string)context.Request.RouteValues["stream"]!;

    /// <summary>What the OpenAPI document takes an endpoint's parameters from.</summary>
    private static Task Describe(string stream, HttpContext context) => Task.CompletedTask;
}
