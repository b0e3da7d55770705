def handler(event, context):
    """What a rehearsal imports and calls in place of a function."""
    return {"event": event, "left": context.get_remaining_time_in_millis()}
