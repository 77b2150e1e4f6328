using AspireStreaming.StreamApi.Connections;

namespace AspireStreaming.StreamApi.Pages;

/// <summary>Answers requests for pages.</summary>
internal sealed class PageEndpoint(PageReader pages, Admission admission)
{
    /// <summary>Serves a page; one that may wait needs a place as a live connection does.</summary>
    public async Task ServeAsync(HttpContext context, PageRequest request)
    {
        Admission.Place? place = null;
        if (request.Wait > TimeSpan.Zero && admission.TryWait(context, out place) is { } refusal)
        {
            await Problems.Refused(context, refusal).ExecuteAsync(context);
            return;
        }

        IResult page;
        using (place)
        {
            page = await Dependencies.GuardAsync(context, async () => await pages.ReadAsync(request, context.RequestAborted));
        }

        await page.ExecuteAsync(context);
    }
}
