"""Model pass for float models: recurrent operators become the steps that they stand for.

``reading`` says what a node computes, or refuses it; ``cells`` has the equations of one step;
``layer`` writes all steps; ``batch_first`` keeps the batch in front, where recurrent operators of
ONNX have the steps. ``unrolled`` is the pass.
"""
